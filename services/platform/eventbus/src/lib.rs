//! From log to bus: relay to JetStream, feeds with checkpoints, parking.
