"""Events on the wire: messages of Kafka, the relay's sender and the consumer."""
