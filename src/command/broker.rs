//! The broker of a command, with the operations that the command needs.

use std::sync::Arc;

use super::{CmdError, Ctx};
use crate::queue::{broker::Broker, capabilities::Operation, error::BrokerError, task::NewTask};

/// Connects to the node and sends requests to its broker, if that supports these operations.
pub(super) fn with_broker<T: Send, Request>(
    ctx: &Ctx<'_>,
    needs: &[Operation],
    request: impl FnOnce(Arc<dyn Broker>) -> Request,
) -> Result<T, CmdError>
where
    Request: Future<Output = Result<T, CmdError>> + Send,
{
    ctx.with_session(|session| {
        let broker = session.handle().broker();
        let request = check_support(&*broker, needs).map(|()| request(broker));
        async move {
            let result = match request {
                Ok(request) => request.await,
                Err(error) => Err(error),
            };
            (session, result)
        }
    })
}

/// Checks that the broker supports these operations.
fn check_support(broker: &dyn Broker, needs: &[Operation]) -> Result<(), CmdError> {
    let capabilities = broker.capabilities();
    let missing = needs.iter().find(|need| !capabilities.supports(**need));
    let Some(missing) = missing else {
        return Ok(());
    };
    Err(match broker.unsupported(*missing) {
        BrokerError::Unsupported { operation } => {
            let (engine, description) = (broker.engine(), operation.description());
            CmdError::refused(format!("the broker {engine} cannot {description}"))
        }
        // There is no broker at all.
        error => error.into(),
    })
}

/// Checks that the broker honours the options of a task.
pub(super) fn check_options(broker: &dyn Broker, task: &NewTask) -> Result<(), CmdError> {
    let supported = broker.capabilities().check_options(&task.options);
    supported.map_err(|why| BrokerError::from(why).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{
        broker::{Control, Engine, Inspect, Submit},
        capabilities::Capabilities,
        event::Subscription,
        unavailable::UnavailableBroker,
    };

    /// An engine that only accepts tasks.
    struct SubmitOnly;

    impl Engine for SubmitOnly {
        fn engine(&self) -> &'static str {
            "mailbox"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::NONE.with(Operation::Submit)
        }
    }

    impl Submit for SubmitOnly {}

    impl Inspect for SubmitOnly {
        fn subscribe(&self) -> Subscription {
            UnavailableBroker::new("").subscribe()
        }
    }

    impl Control for SubmitOnly {}

    impl Broker for SubmitOnly {}

    #[test]
    fn an_operation_that_the_broker_lacks_is_refused() {
        assert!(check_support(&SubmitOnly, &[Operation::Submit]).is_ok());
        let needs = [Operation::Submit, Operation::Scale];
        let error = check_support(&SubmitOnly, &needs).expect_err("not supported");
        assert!(matches!(error, CmdError::Refused(_)), "{error:?}");
        let expected = "the broker mailbox cannot change the number of workers";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn without_a_broker_the_reason_is_reported() {
        let broker = UnavailableBroker::new("the broker has crashed");
        let error = check_support(&broker, &[Operation::Scale]).expect_err("not supported");
        assert!(matches!(error, CmdError::Unreachable(_)), "{error:?}");
        assert_eq!(error.to_string(), "the broker has crashed");
    }
}
