"""`python -m statistics_manager_service` starts the service, as it always did."""

from statistics_manager_service.cli import main

if __name__ == "__main__":
    main(["serve"])
