//! One call on its stream.

use std::time::Duration;

use futures_util::StreamExt;
use quinn::RecvStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::{READ_TIMEOUT, ServerState};
use crate::net::rpc::{
    error::{Code, RemoteError},
    object::{Caller, Invocation, Response, ResultStream},
    reply::ReplyWriter,
    wire::{self, Call, FrameError},
};

/// Limit of the deadline that a caller can ask for.
const MAX_DEADLINE: Duration = Duration::from_secs(300);

/// Reads one call, runs it and writes its replies. A caller that disconnects drops the running method.
pub(super) async fn serve(
    shared: &ServerState,
    caller: Caller,
    replies: ReplyWriter,
    mut recv: RecvStream,
) {
    let call: Call = match timeout(READ_TIMEOUT, wire::read(&mut recv)).await {
        Ok(Ok(Some(call))) => call,
        Ok(Ok(None) | Err(FrameError::Io(_))) => return,
        Ok(Err(error)) => {
            let error = RemoteError::new(Code::Malformed, error.to_string());
            return replies.send_error(error).await;
        }
        Err(_elapsed) => {
            let message = format!("the call did not arrive in {READ_TIMEOUT:?}");
            let error = RemoteError::new(Code::Expired, message);
            return replies.send_error(error).await;
        }
    };
    wire::consume_fin(&mut recv);
    let deadline = Duration::from_millis(call.deadline_ms.into()).min(MAX_DEADLINE);
    let Call {
        object,
        method,
        args,
        kwargs,
        ..
    } = call;
    let invocation = Invocation {
        caller,
        method,
        args,
        kwargs,
    };
    let running = timeout_at(
        Instant::now() + deadline,
        shared.objects.call(&object, invocation),
    );
    let result = tokio::select! {
        // Most methods complete at once; then nothing has to be registered for a cancellation.
        biased;
        result = running => result,
        () = replies.cancelled() => return,
    };
    shared.calls.record(matches!(result, Ok(Ok(_))));
    match result {
        Ok(Ok(Response::One(value))) => replies.send_result(value).await,
        Ok(Ok(Response::Stream(results))) => send_stream(shared, replies, results).await,
        Ok(Err(error)) => replies.send_error(error).await,
        Err(_elapsed) => {
            let message = format!("the call did not complete in {deadline:?}");
            let error = RemoteError::new(Code::Expired, message);
            replies.send_error(error).await;
        }
    }
}

/// Sends results until they end, the caller disconnects or the endpoint stops. A caller that does not read
/// fills its own flow-control window and delays nobody else.
async fn send_stream(shared: &ServerState, mut replies: ReplyWriter, mut results: ResultStream) {
    loop {
        let next = tokio::select! {
            next = results.next() => next,
            () = replies.cancelled() => return,
            () = shared.stopping.cancelled() => return,
        };
        match next {
            Some(Ok(value)) => {
                if replies.write_result(value).await.is_err() {
                    return;
                }
            }
            Some(Err(error)) => return replies.send_error(error).await,
            None => return replies.finish(),
        }
    }
}
