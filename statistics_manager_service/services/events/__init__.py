"""Work that is asked for by events: outbox, relay, inbox, jobs."""
