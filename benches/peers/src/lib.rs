//! Nothing: this package exists for its bench, which compares evaluators of policies.
