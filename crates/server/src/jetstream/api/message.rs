//! STREAM.MSG.GET and STREAM.MSG.DELETE.

use natterjack_jetstream::{Command, Outcome, direct};
use natterjack_jsapi::request::{MsgDelete, MsgGet};
use natterjack_jsapi::response::{self, StoredMessage};
use natterjack_jsapi::{ApiError, GoTime, errors};

use super::{Asked, Request};
use crate::jetstream::owner::Owner;

/// What STREAM.MSG.GET asks for, if it can be asked for of any stream.
pub(super) fn wanted_message(request: &Request, strict: bool) -> Result<MsgGet, ApiError> {
    let mut wanted: MsgGet = request.parse("JSApiMsgGetRequest", strict)?;
    let several = wanted.batch > 0 || wanted.max_bytes > 0;
    // Only direct requests ask for the last ones of several subjects.
    wanted.multi_last.clear();
    if several || direct::check(&wanted).is_err() {
        return Err(errors::BAD_REQUEST);
    }
    Ok(wanted)
}

impl Asked {
    /// Answers with a message. Whoever listens to what is asked of the API does not hear what messages say, and the peer
    /// counts no such request.
    pub(super) fn get_message(&self, owner: &mut Owner) {
        match self.find_message(owner) {
            Ok(found) => owner.wire.answer(&self.request.reply, &found),
            refused @ Err(_) => self.finish(owner, refused),
        }
    }

    fn find_message(&self, owner: &mut Owner) -> Result<Vec<u8>, ApiError> {
        let wanted = wanted_message(&self.request, self.account.strict())?;
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
        let wanted: MsgDelete = match self.parse("JSApiMsgDeleteRequest") {
            Ok(wanted) => wanted,
            Err(error) => return self.finish(owner, Err(error)),
        };
        if let Err(error) = owner.group.check_delete(wanted.seq) {
            let config = owner.group.stream().config();
            if config.sealed || config.deny_delete {
                return self.finish(owner, Err(error));
            }
            // That there is no such message counts as no error of the API.
            let refused = self.refusal(&error);
            return self.tell(owner, &[], &refused);
        }
        let command = Command::Delete {
            seq: wanted.seq,
            erase: !wanted.no_erase,
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
