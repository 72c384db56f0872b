//! JetStream groups: propose, commit, apply; single-node and over openraft.
