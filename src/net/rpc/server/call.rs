//! One call on its stream.

use std::time::Duration;

use futures_util::StreamExt;
use quinn::RecvStream;
use tokio::time::{Instant, timeout_at};

use super::{
    connection::ServerConnection,
    request::{self, SMALL},
};
use crate::{
    net::{
        quic::quotas::{ByteKind, BytesPermit, ConnectionPermit, QuotaError},
        rpc::{
            error::{Code, RemoteError},
            object::{Invocation, Response, ResultStream},
            reply::ReplyWriter,
            wire::{Call, MAX_FRAME},
        },
        watchdog,
    },
    value::Encoded,
};

/// Limit of the deadline that a caller can ask for.
const MAX_DEADLINE: Duration = Duration::from_secs(300);

/// Reads one call, runs it and writes its replies. A caller that disconnects drops the running method.
pub(super) async fn serve(connection: &ServerConnection, replies: ReplyWriter, recv: RecvStream) {
    let counted = match connection.quota.call() {
        Ok(counted) => counted,
        Err(error) => return replies.send_error(error.into()).await,
    };
    run(connection, replies, recv).await;
    drop(counted);
}

async fn run(connection: &ServerConnection, replies: ReplyWriter, mut recv: RecvStream) {
    let quota = &connection.quota;
    let (call, bytes) = match request::read(quota, &mut recv).await {
        Ok(read) => read,
        Err(error) => {
            if let Some(error) = error.into_reply() {
                replies.send_error(error).await;
            }
            return;
        }
    };
    // A caller that does not take its replies waits before it gets more of them.
    if let Err(error) = wait_for_room(quota).await {
        return replies.send_error(error.into()).await;
    }
    // What was received before a revocation is not run after it.
    if connection.revoked.is_cancelled() {
        return;
    }
    let shared = &connection.shared;
    let deadline = Duration::from_millis(call.deadline_ms.into()).min(MAX_DEADLINE);
    let Call {
        object,
        method,
        args,
        kwargs,
        ..
    } = call;
    let invocation = Invocation {
        caller: connection.caller,
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
    watchdog::report_progress();
    drop(bytes);
    shared.calls.record(matches!(result, Ok(Ok(_))));
    match result {
        Ok(Ok(Response::One(value))) => send_one(quota, replies, value).await,
        Ok(Ok(Response::Stream(results))) => send_stream(connection, replies, results).await,
        Ok(Err(error)) => replies.send_error(error).await,
        Err(_elapsed) => {
            let message = format!("the call did not complete in {deadline:?}");
            let error = RemoteError::new(Code::Expired, message);
            replies.send_error(error).await;
        }
    }
}

/// Waits until the key may hold one more reply of any size.
async fn wait_for_room(quota: &ConnectionPermit) -> Result<(), QuotaError> {
    match quota.has_room(ByteKind::Replies, MAX_FRAME) {
        true => Ok(()),
        false => quota.reserve(ByteKind::Replies, MAX_FRAME).await.map(drop),
    }
}

/// Sends the only result; a large one needs bytes of the key's budget until the caller has taken it.
async fn send_one(quota: &ConnectionPermit, replies: ReplyWriter, value: Encoded) {
    match hold(quota, &value) {
        Ok(held) => {
            replies.send_result(value).await;
            drop(held);
        }
        Err(error) => replies.send_error(error.into()).await,
    }
}

/// Takes bytes of the key's budget for a large reply.
fn hold<'a>(
    quota: &'a ConnectionPermit,
    value: &Encoded,
) -> Result<Option<BytesPermit<'a>>, QuotaError> {
    match value.size() <= SMALL {
        true => Ok(None),
        false => quota.try_reserve(ByteKind::Replies, value.size()).map(Some),
    }
}

/// Sends results until they end, the caller disconnects or the endpoint stops. A caller that does not read
/// fills its own flow-control window and delays nobody else; the next result is not asked for before.
async fn send_stream(
    connection: &ServerConnection,
    mut replies: ReplyWriter,
    mut results: ResultStream,
) {
    let quota = &connection.quota;
    loop {
        let next = async {
            wait_for_room(quota).await?;
            Ok::<_, QuotaError>(results.next().await)
        };
        let next = tokio::select! {
            next = next => next,
            () = replies.cancelled() => return,
            () = connection.shared.stopping.cancelled() => return,
        };
        match next {
            Ok(Some(Ok(value))) => {
                let held = match hold(quota, &value) {
                    Ok(held) => held,
                    Err(error) => return replies.send_error(error.into()).await,
                };
                if replies.write_result(value).await.is_err() {
                    return;
                }
                drop(held);
            }
            Ok(Some(Err(error))) => return replies.send_error(error).await,
            Ok(None) => return replies.finish(),
            Err(error) => return replies.send_error(error.into()).await,
        }
    }
}
