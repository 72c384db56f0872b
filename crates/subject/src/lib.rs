//! NATS subjects: validation, matching, the routing trie, subject maps and transforms.
