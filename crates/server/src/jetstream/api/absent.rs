//! Requests about a stream that is not there: what is wrong with the request itself is told first, as the peer does.

use natterjack_jsapi::request::{ConsumerList, MsgDelete, Pause, StreamInfoRequest};
use natterjack_jsapi::{ApiCall, ApiError, errors, json};

use super::{Request, consumer, message, stream};

fn parsed<T: json::GoFields + Default>(
    request: &Request,
    root: &'static str,
    strict: bool,
) -> Result<(), ApiError> {
    request.parse::<T>(root, strict).map(drop)
}

/// What `call` is told when there is no such stream; `None` for no answer.
pub(super) fn answer(request: &Request, call: &ApiCall<'_>, strict: bool) -> Option<ApiError> {
    let checked = match call {
        ApiCall::ConsumerReset { .. } => return None,
        ApiCall::ConsumerCreate { .. } | ApiCall::ConsumerDurableCreate { .. } => {
            return Some(consumer::check_without_stream(request, strict));
        }
        ApiCall::StreamInfo { .. } => parsed::<StreamInfoRequest>(request, "JSApiStreamInfoRequest", strict),
        ApiCall::StreamPurge { .. } => stream::wanted_purge(request, strict).map(drop),
        ApiCall::StreamMsgGet { .. } => message::wanted_message(request, strict).map(drop),
        ApiCall::StreamMsgDelete { .. } => parsed::<MsgDelete>(request, "JSApiMsgDeleteRequest", strict),
        ApiCall::ConsumerNames { .. } | ApiCall::ConsumerList { .. } => {
            parsed::<ConsumerList>(request, "JSApiConsumersRequest", strict)
        }
        ApiCall::ConsumerPause { .. } => parsed::<Pause>(request, "JSApiConsumerPauseRequest", strict),
        ApiCall::ConsumerUnpin { .. } => consumer::wanted_unpin(request).map(drop),
        _ => Ok(()),
    };
    Some(checked.err().unwrap_or(errors::STREAM_NOT_FOUND))
}
