"""What is fetched from other services over HTTP. Each feed turns a service's answers into the core's terms."""
