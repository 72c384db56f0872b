//! API subjects: what a request on `$JS.API.…` asks for. Parses and builds; decides nothing.

/// Begins every API subject.
pub const API_PREFIX: &str = "$JS.API.";

/// What an API subject asks for, borrowed from the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "one variant per row of the API table, named as its subject; fields are stream, consumer, filter or account names"
)]
pub enum ApiCall<'a> {
    Info,
    StreamCreate {
        stream: &'a str,
    },
    StreamUpdate {
        stream: &'a str,
    },
    StreamNames,
    StreamList,
    StreamInfo {
        stream: &'a str,
    },
    StreamDelete {
        stream: &'a str,
    },
    StreamPurge {
        stream: &'a str,
    },
    StreamMsgGet {
        stream: &'a str,
    },
    StreamMsgDelete {
        stream: &'a str,
    },
    StreamSnapshot {
        stream: &'a str,
    },
    StreamRestore {
        stream: &'a str,
    },
    StreamPeerRemove {
        stream: &'a str,
    },
    StreamPeerEvacuate {
        stream: &'a str,
    },
    StreamCancelMove {
        stream: &'a str,
    },
    StreamLeaderStepDown {
        stream: &'a str,
    },
    TemplateCreate {
        template: &'a str,
    },
    TemplateInfo {
        template: &'a str,
    },
    TemplateDelete {
        template: &'a str,
    },
    TemplateNames,
    ConsumerCreate {
        stream: &'a str,
        consumer: Option<&'a str>,
        filter: Option<&'a str>,
    },
    ConsumerDurableCreate {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerNames {
        stream: &'a str,
    },
    ConsumerList {
        stream: &'a str,
    },
    ConsumerInfo {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerDelete {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerPause {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerUnpin {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerReset {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerLeaderStepDown {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerPeerRemove {
        stream: &'a str,
        consumer: &'a str,
    },
    ConsumerPeerEvacuate {
        stream: &'a str,
        consumer: &'a str,
    },
    MsgNext {
        stream: &'a str,
        consumer: &'a str,
    },
    DirectGet {
        stream: &'a str,
        subject: Option<&'a str>,
    },
}

impl<'a> ApiCall<'a> {
    /// Reads what follows [`API_PREFIX`]; `None` if no call of that form exists.
    #[must_use]
    pub fn parse(rest: &'a str) -> Option<Self> {
        let (group, tail) = rest.split_once('.').unwrap_or((rest, ""));
        match group {
            "INFO" if tail.is_empty() => Some(Self::Info),
            "STREAM" => Self::stream(tail),
            "CONSUMER" => Self::consumer(tail),
            "DIRECT" => {
                let tail = tail.strip_prefix("GET.")?;
                let (stream, subject) = match tail.split_once('.') {
                    Some((stream, subject)) => (stream, Some(subject)),
                    None => (tail, None),
                };
                (!stream.is_empty()).then_some(Self::DirectGet { stream, subject })
            }
            _ => None,
        }
    }

    fn stream(tail: &'a str) -> Option<Self> {
        let parts: Vec<&str> = tail.split('.').collect();
        Some(match *parts {
            ["NAMES"] => Self::StreamNames,
            ["LIST"] => Self::StreamList,
            ["CREATE", stream] => Self::StreamCreate { stream },
            ["UPDATE", stream] => Self::StreamUpdate { stream },
            ["INFO", stream] => Self::StreamInfo { stream },
            ["DELETE", stream] => Self::StreamDelete { stream },
            ["PURGE", stream] => Self::StreamPurge { stream },
            ["MSG", "GET", stream] => Self::StreamMsgGet { stream },
            ["MSG", "DELETE", stream] => Self::StreamMsgDelete { stream },
            ["SNAPSHOT", stream] => Self::StreamSnapshot { stream },
            ["RESTORE", stream] => Self::StreamRestore { stream },
            ["PEER", "REMOVE", stream] => Self::StreamPeerRemove { stream },
            ["PEER", "EVACUATE", stream] => Self::StreamPeerEvacuate { stream },
            ["CANCEL_MOVE", stream] => Self::StreamCancelMove { stream },
            ["LEADER", "STEPDOWN", stream] => Self::StreamLeaderStepDown { stream },
            ["TEMPLATE", "NAMES"] => Self::TemplateNames,
            ["TEMPLATE", "CREATE", template] => Self::TemplateCreate { template },
            ["TEMPLATE", "INFO", template] => Self::TemplateInfo { template },
            ["TEMPLATE", "DELETE", template] => Self::TemplateDelete { template },
            _ => return None,
        })
    }

    fn consumer(tail: &'a str) -> Option<Self> {
        if let Some(rest) = tail.strip_prefix("CREATE.") {
            let mut parts = rest.splitn(3, '.');
            let stream = parts.next().filter(|s| !s.is_empty())?;
            return Some(Self::ConsumerCreate {
                stream,
                consumer: parts.next(),
                filter: parts.next(),
            });
        }
        let parts: Vec<&str> = tail.split('.').collect();
        Some(match *parts {
            ["DURABLE", "CREATE", stream, consumer] => Self::ConsumerDurableCreate { stream, consumer },
            ["NAMES", stream] => Self::ConsumerNames { stream },
            ["LIST", stream] => Self::ConsumerList { stream },
            ["INFO", stream, consumer] => Self::ConsumerInfo { stream, consumer },
            ["DELETE", stream, consumer] => Self::ConsumerDelete { stream, consumer },
            ["PAUSE", stream, consumer] => Self::ConsumerPause { stream, consumer },
            ["UNPIN", stream, consumer] => Self::ConsumerUnpin { stream, consumer },
            ["RESET", stream, consumer] => Self::ConsumerReset { stream, consumer },
            ["LEADER", "STEPDOWN", stream, consumer] => Self::ConsumerLeaderStepDown { stream, consumer },
            ["PEER", "REMOVE", stream, consumer] => Self::ConsumerPeerRemove { stream, consumer },
            ["PEER", "EVACUATE", stream, consumer] => Self::ConsumerPeerEvacuate { stream, consumer },
            ["MSG", "NEXT", stream, consumer] => Self::MsgNext { stream, consumer },
            _ => return None,
        })
    }

    /// The `type` suffix of its response.
    #[must_use]
    pub const fn response(&self) -> &'static str {
        match self {
            Self::Info => "account_info_response",
            Self::StreamCreate { .. } => "stream_create_response",
            Self::StreamUpdate { .. } => "stream_update_response",
            Self::StreamNames => "stream_names_response",
            Self::StreamList => "stream_list_response",
            Self::StreamInfo { .. } => "stream_info_response",
            Self::StreamDelete { .. } => "stream_delete_response",
            Self::StreamPurge { .. } => "stream_purge_response",
            Self::StreamMsgGet { .. } => "stream_msg_get_response",
            Self::StreamMsgDelete { .. } => "stream_msg_delete_response",
            Self::StreamSnapshot { .. } => "stream_snapshot_response",
            Self::StreamRestore { .. } => "stream_restore_response",
            Self::StreamPeerRemove { .. } => "stream_remove_peer_response",
            Self::StreamPeerEvacuate { .. } => "stream_evacuate_peer_response",
            Self::StreamCancelMove { .. } => "stream_cancel_move_response",
            Self::StreamLeaderStepDown { .. } => "stream_leader_stepdown_response",
            Self::TemplateCreate { .. } => "stream_template_create_response",
            Self::TemplateInfo { .. } => "stream_template_info_response",
            Self::TemplateDelete { .. } => "stream_template_delete_response",
            Self::TemplateNames => "stream_template_names_response",
            Self::ConsumerCreate { .. } | Self::ConsumerDurableCreate { .. } => "consumer_create_response",
            Self::ConsumerNames { .. } => "consumer_names_response",
            Self::ConsumerList { .. } => "consumer_list_response",
            Self::ConsumerInfo { .. } => "consumer_info_response",
            Self::ConsumerDelete { .. } => "consumer_delete_response",
            Self::ConsumerPause { .. } => "consumer_pause_response",
            Self::ConsumerUnpin { .. } => "consumer_unpin_response",
            Self::ConsumerReset { .. } => "consumer_reset_response",
            Self::ConsumerLeaderStepDown { .. } => "consumer_leader_stepdown_response",
            Self::ConsumerPeerRemove { .. } => "consumer_remove_peer_response",
            Self::ConsumerPeerEvacuate { .. } => "consumer_evacuate_peer_response",
            Self::MsgNext { .. } | Self::DirectGet { .. } => "",
        }
    }
}

/// What is wrong with a stream or consumer name, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameProblem {
    /// Empty.
    Empty,
    /// A separator, wildcard, slash or white space.
    Character,
    /// More than 255 bytes.
    TooLong,
}

/// Longest stream or consumer name, bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Checks a stream or consumer name.
///
/// # Errors
/// [`NameProblem`], in the peer's order of checks.
pub fn check_name(name: &str) -> Result<(), NameProblem> {
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    if name.bytes().any(|b| {
        matches!(
            b,
            b'.' | b'*' | b'>' | b'\\' | b'/' | b' ' | b'\t' | b'\r' | b'\n' | 0x0c
        )
    }) {
        return Err(NameProblem::Character);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameProblem::TooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls() {
        assert_eq!(ApiCall::parse("INFO"), Some(ApiCall::Info));
        assert_eq!(
            ApiCall::parse("STREAM.CREATE.S"),
            Some(ApiCall::StreamCreate { stream: "S" })
        );
        assert_eq!(
            ApiCall::parse("CONSUMER.CREATE.S.C.a.b.*"),
            Some(ApiCall::ConsumerCreate {
                stream: "S",
                consumer: Some("C"),
                filter: Some("a.b.*")
            })
        );
        assert_eq!(
            ApiCall::parse("CONSUMER.CREATE.S"),
            Some(ApiCall::ConsumerCreate {
                stream: "S",
                consumer: None,
                filter: None
            })
        );
        assert_eq!(
            ApiCall::parse("DIRECT.GET.S.a.b"),
            Some(ApiCall::DirectGet {
                stream: "S",
                subject: Some("a.b")
            })
        );
        for none in [
            "",
            "FOO",
            "STREAM",
            "STREAM.CREATE",
            "STREAM.CREATE.a.b",
            "CONSUMER.INFO.S",
            "INFO.x",
            "DIRECT.GET",
        ] {
            assert_eq!(ApiCall::parse(none), None, "{none}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(check_name("a-b_c"), Ok(()));
        assert_eq!(check_name(""), Err(NameProblem::Empty));
        assert_eq!(check_name("a.b"), Err(NameProblem::Character));
        assert_eq!(check_name(&"a".repeat(256)), Err(NameProblem::TooLong));
    }
}
