//! STREAM.MSG.GET and STREAM.MSG.DELETE.

use natterjack_jetstream::{Command, Outcome, direct};
use natterjack_jsapi::request::{MsgDelete, MsgGet};
use natterjack_jsapi::response::{self, StoredMessage};
use natterjack_jsapi::{ApiError, GoTime, errors};

use super::Asked;
use crate::jetstream::owner::Owner;

impl Asked {
    pub(super) fn get_message(&self, owner: &mut Owner) -> Result<Vec<u8>, ApiError> {
        let wanted: MsgGet = self.parse("JSApiMsgGetRequest")?;
        let several = wanted.batch > 0 || wanted.max_bytes > 0 || !wanted.multi_last.is_empty();
        if several || direct::check(&wanted).is_err() {
            return Err(errors::BAD_REQUEST);
        }
        let found = direct::find(owner.group.store(), &wanted).ok_or(errors::NO_MESSAGE_FOUND)?;
        let message = StoredMessage {
            subject: found.subject(),
            seq: found.seq().0,
            headers: if wanted.no_hdr { &[] } else { found.headers() },
            data: found.payload(),
            time: GoTime(found.ts_ns()),
        };
        let mut out = Vec::new();
        response::message(&mut out, &message);
        Ok(out)
    }

    pub(super) fn delete_message(self, owner: &mut Owner) {
        let command = self
            .parse::<MsgDelete>("JSApiMsgDeleteRequest")
            .and_then(|wanted| {
                owner.group.check_delete(wanted.seq)?;
                Ok(Command::Delete {
                    seq: wanted.seq,
                    erase: !wanted.no_erase,
                })
            });
        let command = match command {
            Ok(command) => command,
            Err(error) => return self.finish(owner, Err(error)),
        };
        owner.propose(command, move |owner, outcome| {
            let done = match outcome {
                Outcome::Failed(why) => Err(errors::stream_msg_delete_failed(why)),
                _ => Ok(self.success()),
            };
            self.finish(owner, done);
        });
    }
}
