//! Journeys, faults, house rules and benchmarks of the whole cluster.
