//! What the calls of the API have in common: which stream they are about, and what their requests must look like.

use natterjack_jsapi::consumer::CreateRequest;
use natterjack_jsapi::request::Pause;
use natterjack_jsapi::{ApiCall, ApiError, errors};

use super::Request;

/// Calls that only a cluster can answer.
pub(super) const fn clustered_only(call: &ApiCall<'_>) -> bool {
    matches!(
        call,
        ApiCall::StreamPeerRemove { .. }
            | ApiCall::StreamPeerEvacuate { .. }
            | ApiCall::StreamCancelMove { .. }
            | ApiCall::StreamLeaderStepDown { .. }
            | ApiCall::ConsumerLeaderStepDown { .. }
            | ApiCall::ConsumerPeerRemove { .. }
            | ApiCall::ConsumerPeerEvacuate { .. }
    )
}

/// Whether a call is about what is there, and is to find all that was published before it.
pub(super) const fn is_read(call: &ApiCall<'_>) -> bool {
    matches!(
        call,
        ApiCall::StreamInfo { .. }
            | ApiCall::StreamMsgGet { .. }
            | ApiCall::StreamMsgDelete { .. }
            | ApiCall::ConsumerNames { .. }
            | ApiCall::ConsumerList { .. }
            | ApiCall::ConsumerInfo { .. }
    )
}

/// The stream a call is about.
pub(super) const fn stream_of<'a>(call: &ApiCall<'a>) -> Option<&'a str> {
    match *call {
        ApiCall::StreamInfo { stream }
        | ApiCall::StreamPurge { stream }
        | ApiCall::StreamMsgGet { stream }
        | ApiCall::StreamMsgDelete { stream }
        | ApiCall::ConsumerCreate { stream, .. }
        | ApiCall::ConsumerDurableCreate { stream, .. }
        | ApiCall::ConsumerNames { stream }
        | ApiCall::ConsumerList { stream }
        | ApiCall::ConsumerInfo { stream, .. }
        | ApiCall::ConsumerDelete { stream, .. }
        | ApiCall::ConsumerPause { stream, .. }
        | ApiCall::ConsumerUnpin { stream, .. }
        | ApiCall::ConsumerReset { stream, .. } => Some(stream),
        _ => None,
    }
}

/// What is wrong with a request whatever the stream is.
pub(super) fn check_before(request: &Request, call: &ApiCall<'_>) -> Result<(), ApiError> {
    let must_be_empty = matches!(
        call,
        ApiCall::ConsumerInfo { .. } | ApiCall::ConsumerDelete { .. }
    );
    let must_not_be = matches!(
        call,
        ApiCall::StreamMsgGet { .. } | ApiCall::StreamMsgDelete { .. }
    );
    if must_be_empty && !request.is_empty() {
        return Err(errors::NOT_EMPTY_REQUEST);
    }
    if must_not_be && request.is_empty() {
        return Err(errors::BAD_REQUEST);
    }
    Ok(())
}

/// What is wrong with a request for more than this server's API level, as far as the peer reads it before it sees that.
pub(super) fn check_before_level(
    request: &Request,
    call: &ApiCall<'_>,
    strict: bool,
) -> Result<(), ApiError> {
    match call {
        ApiCall::ConsumerCreate { .. } | ApiCall::ConsumerDurableCreate { .. } => request
            .parse::<CreateRequest>("CreateConsumerRequest", strict)
            .map(drop),
        ApiCall::ConsumerPause { .. } => request
            .parse::<Pause>("JSApiConsumerPauseRequest", strict)
            .map(drop),
        ApiCall::ConsumerInfo { .. } => check_before(request, call),
        _ => Ok(()),
    }
}
