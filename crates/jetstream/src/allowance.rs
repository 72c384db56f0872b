//! What an account may use: one set of limits for all its streams, or one for each tier, which is how many copies a stream
//! has (jetstream.go `selectLimits`, `tieredReservation`, `JetStreamUsage`). Rules only; what is used comes in.

use std::collections::BTreeMap;

use natterjack_jsapi::account::{AccountInfo, Limits, Tier};
use natterjack_jsapi::stream::{Storage, StreamConfig};
use natterjack_jsapi::{ApiError, errors};

use crate::stream::Streams;

/// Name of what all streams share where there are no tiers.
pub const ALL: &str = "";

/// Limits of an account by tier; under [`ALL`] those that hold whatever the tier.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowances(BTreeMap<String, Limits>);

/// What one stream of the account takes.
#[derive(Debug, Clone, Copy)]
pub struct Used<'a> {
    /// Its configuration.
    pub config: &'a StreamConfig,
    /// Bytes it holds.
    pub bytes: u64,
    /// Its consumers.
    pub consumers: u64,
}

impl Allowances {
    /// The same limits for all streams together.
    #[must_use]
    pub fn of_all(limits: Limits) -> Self {
        Self(BTreeMap::from([(ALL.to_owned(), limits)]))
    }

    /// Limits for each tier: `R1` is the one of streams with one copy.
    #[must_use]
    pub const fn of_tiers(tiers: BTreeMap<String, Limits>) -> Self {
        Self(tiers)
    }

    /// Every set of limits, with its name.
    pub fn each(&self) -> impl Iterator<Item = (&str, &Limits)> {
        self.0.iter().map(|(name, limits)| (name.as_str(), limits))
    }

    /// Whether limits depend on the tier.
    fn has_tiers(&self) -> bool {
        !self.0.contains_key(ALL)
    }

    /// What a stream of so many copies counts against.
    #[must_use]
    pub fn tier(&self, replicas: i64) -> String {
        if self.has_tiers() {
            format!("R{}", replicas.max(1))
        } else {
            ALL.to_owned()
        }
    }

    /// Limits of a stream of so many copies.
    ///
    /// # Errors
    /// 10120 where there are none for it.
    pub fn limits(&self, replicas: i64) -> Result<&Limits, ApiError> {
        self.0.get(&self.tier(replicas)).ok_or(errors::NO_LIMITS)
    }

    /// The other streams that count against the same limits as `config`.
    fn beside<'a>(
        &self,
        config: &StreamConfig,
        streams: &'a dyn Streams,
    ) -> impl Iterator<Item = &'a StreamConfig> {
        let tier = self.tier(config.num_replicas);
        streams
            .all()
            .into_iter()
            .filter(move |other| other.name != config.name && self.tier(other.num_replicas) == tier)
    }

    /// Whether the account may have one stream more, unless it has this one, and one of so many consumers.
    ///
    /// # Errors
    /// 10120 where the tier has no limits, 10027 where there are as many as may be, 10026 for more consumers than may be.
    pub fn check_count(&self, config: &StreamConfig, streams: &dyn Streams) -> Result<(), ApiError> {
        let limits = self.limits(config.num_replicas)?;
        let most = limits.max_streams;
        let is_limited = usize::try_from(most).is_ok_and(|most| most > 0);
        if is_limited && self.beside(config, streams).count() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(errors::MAXIMUM_STREAMS_LIMIT);
        }
        check_consumers(config, limits)
    }

    /// Whether the account has room for what `config` may grow to, beside what its other streams may.
    ///
    /// # Errors
    /// 10120, 10026 for more consumers than may be, 10047 for a file stream, 10028 for one in memory.
    pub fn check_reserved(&self, config: &StreamConfig, streams: &dyn Streams) -> Result<(), ApiError> {
        let limits = self.limits(config.num_replicas)?;
        check_consumers(config, limits)?;
        let (most, error) = match config.storage {
            Storage::File => (limits.max_storage, errors::STORAGE_RESOURCES_EXCEEDED),
            Storage::Memory => (limits.max_memory, errors::MEMORY_RESOURCES_EXCEEDED),
        };
        // Limits of a tier are for one of its copies, those of all for every copy there is.
        let copies = |of: &StreamConfig| {
            if self.has_tiers() {
                1
            } else {
                of.num_replicas.max(1)
            }
        };
        let held = self
            .beside(config, streams)
            .filter(|other| other.storage == config.storage)
            .map(|other| other.max_bytes.max(0).saturating_mul(copies(other)))
            .fold(0, i64::saturating_add);
        // A stream without a limit of its own needs room for something.
        let wanted = config.max_bytes.max(1).saturating_mul(copies(config));
        if most >= 0 && held.saturating_add(wanted) > most {
            return Err(error);
        }
        Ok(())
    }

    /// What `streams` use, as account INFO shows it: with tiers, the limits of all are zero and each tier has its own.
    #[must_use]
    pub fn info<'a>(&self, streams: impl IntoIterator<Item = Used<'a>>) -> AccountInfo {
        let mut info = AccountInfo {
            limits: self.0.get(ALL).cloned().unwrap_or_default(),
            ..AccountInfo::default()
        };
        if self.has_tiers() {
            let unused = |limits: &Limits| Tier {
                limits: limits.clone(),
                ..Tier::default()
            };
            info.tiers = self
                .0
                .iter()
                .map(|(name, limits)| (name.clone(), unused(limits)))
                .collect();
        }
        for used in streams {
            let mut all = Tier::default();
            count(&mut all, &used);
            info.memory += all.memory;
            info.storage += all.storage;
            info.reserved_memory += all.reserved_memory;
            info.reserved_storage += all.reserved_storage;
            info.streams += all.streams;
            info.consumers += all.consumers;
            if self.has_tiers() {
                let tier = self.tier(used.config.num_replicas);
                count(info.tiers.entry(tier).or_default(), &used);
            }
        }
        info
    }
}

/// A stream may not allow more consumers than its account.
fn check_consumers(config: &StreamConfig, limits: &Limits) -> Result<(), ApiError> {
    let (wanted, most) = (config.max_consumers, limits.max_consumers);
    if wanted > 0 && most > 0 && wanted > most {
        return Err(errors::MAXIMUM_CONSUMERS_LIMIT);
    }
    Ok(())
}

/// Adds a stream to what is used.
fn count(tier: &mut Tier, used: &Used<'_>) {
    let reserved = u64::try_from(used.config.max_bytes).unwrap_or(0);
    let (bytes, promised) = match used.config.storage {
        Storage::File => (&mut tier.storage, &mut tier.reserved_storage),
        Storage::Memory => (&mut tier.memory, &mut tier.reserved_memory),
    };
    *bytes += used.bytes;
    *promised += reserved;
    tier.streams += 1;
    tier.consumers += used.consumers;
}

#[cfg(test)]
mod tests {
    use natterjack_jsapi::json;

    use super::*;

    struct Several(Vec<StreamConfig>);

    impl Streams for Several {
        fn config(&self, name: &str) -> Option<&StreamConfig> {
            self.0.iter().find(|c| c.name == name)
        }

        fn overlaps(&self, _subjects: &[String], _except: &str) -> bool {
            false
        }

        fn all(&self) -> Vec<&StreamConfig> {
            self.0.iter().collect()
        }
    }

    fn stream(name: &str, replicas: i64, max_bytes: i64) -> StreamConfig {
        StreamConfig {
            name: name.into(),
            num_replicas: replicas,
            max_bytes,
            ..StreamConfig::default()
        }
    }

    /// One tier of one copy with 2000 bytes for three streams, one of three copies with 9000 for one.
    fn tiered() -> Allowances {
        let limits = |max_storage, max_streams| Limits {
            max_storage,
            max_streams,
            ..Limits::unlimited()
        };
        Allowances::of_tiers(BTreeMap::from([
            ("R1".to_owned(), limits(2_000, 3)),
            ("R3".to_owned(), limits(9_000, 1)),
        ]))
    }

    fn code(result: Result<(), ApiError>) -> u16 {
        result.err().map_or(0, |error| error.err_code)
    }

    #[test]
    fn a_tier_without_limits_takes_no_stream() {
        let none = Several(Vec::new());
        assert_eq!(code(tiered().check_count(&stream("A", 9, -1), &none)), 10120);
        assert_eq!(code(tiered().check_reserved(&stream("A", 2, -1), &none)), 10120);
        assert_eq!(code(tiered().check_count(&stream("A", 0, -1), &none)), 0);
        let all = Allowances::of_all(Limits::unlimited());
        assert_eq!(code(all.check_count(&stream("A", 9, -1), &none)), 0);
    }

    #[test]
    fn streams_count_against_their_own_tier_and_only_others() {
        let held = Several(vec![
            stream("A", 1, -1),
            stream("B", 1, 1_500),
            stream("C", 3, 8_000),
        ]);
        let check = |config: &StreamConfig| {
            (
                code(tiered().check_count(config, &held)),
                code(tiered().check_reserved(config, &held)),
            )
        };
        assert_eq!(check(&stream("D", 1, 500)), (0, 0));
        assert_eq!(check(&stream("D", 1, 501)), (0, 10047));
        assert_eq!(check(&stream("A", 1, 500)), (0, 0));
        assert_eq!(check(&stream("D", 3, 1_000)), (10027, 0));
        assert_eq!(check(&stream("C", 3, 9_000)), (0, 0));
        let memory = StreamConfig {
            storage: Storage::Memory,
            ..stream("M", 1, 1 << 40)
        };
        assert_eq!(check(&memory), (0, 0));
    }

    #[test]
    fn a_stream_allows_no_more_consumers_than_its_account() {
        let all = Allowances::of_all(Limits {
            max_consumers: 3,
            ..Limits::unlimited()
        });
        let none = Several(Vec::new());
        for (wanted, expected) in [(-1, 0), (0, 0), (3, 0), (4, 10026)] {
            let config = StreamConfig {
                max_consumers: wanted,
                ..stream("A", 1, -1)
            };
            assert_eq!(code(all.check_count(&config, &none)), expected);
            assert_eq!(code(all.check_reserved(&config, &none)), expected);
        }
    }

    #[test]
    fn without_tiers_every_copy_counts() {
        let limits = Limits {
            max_storage: 10_000,
            ..Limits::unlimited()
        };
        let all = Allowances::of_all(limits);
        let held = Several(vec![stream("A", 3, 2_000)]);
        assert_eq!(code(all.check_reserved(&stream("B", 1, 4_000), &held)), 0);
        assert_eq!(code(all.check_reserved(&stream("B", 1, 4_001), &held)), 10047);
        assert_eq!(code(all.check_reserved(&stream("B", 3, 1_334), &held)), 10047);
    }

    #[test]
    fn information_shows_each_tier_as_the_peer_does() {
        let file = stream("B", 1, 1_500);
        let memory = StreamConfig {
            storage: Storage::Memory,
            ..stream("M", 1, -1)
        };
        let used = |config, bytes, consumers| Used {
            config,
            bytes,
            consumers,
        };
        let info = tiered().info([used(&file, 1_466, 2), used(&memory, 2_757, 0)]);
        let shown = String::from_utf8(json::to_vec(&info)).unwrap();
        let sums = r#""memory":2757,"storage":1466,"reserved_memory":0,"reserved_storage":1500,"streams":2,"consumers":2,"#;
        let none = r#""max_memory":0,"max_storage":0,"max_streams":0,"max_consumers":0,"max_ack_pending":0,"memory_max_stream_bytes":0,"storage_max_stream_bytes":0,"max_bytes_required":false"#;
        assert!(
            shown.starts_with(&format!("{{{sums}\"limits\":{{{none}}}")),
            "{shown}"
        );
        assert!(
            shown.contains(&format!(
                r#""tiers":{{"R1":{{{sums}"limits":{{"max_memory":-1,"max_storage":2000,"max_streams":3,"#
            )),
            "{shown}"
        );
        let idle = r#""R3":{"memory":0,"storage":0,"reserved_memory":0,"reserved_storage":0,"streams":0,"consumers":0,"limits":{"max_memory":-1,"max_storage":9000,"#;
        assert!(shown.contains(idle), "{shown}");
    }
}
