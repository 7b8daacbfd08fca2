//! The contract of every engine, tested through the trait alone, on volatile and on durable engines. A
//! promise is skipped where an engine does not support an operation that it needs.

/// Runs every promise on every kind of engine.
macro_rules! on_every_engine {
    ($($promise:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::support::Setup::in_memory()).await;
            })*
        }
        mod over_the_network {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::support::Setup::over_the_network()).await;
            })*
        }
        mod with_fewer_operations {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::support::Setup::limited()).await;
            })*
        }
        mod with_fewer_operations_over_the_network {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::support::Setup::limited_over_the_network()).await;
            })*
        }
        mod in_a_file {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(crate::support::Setup::in_a_file()).await;
            })*
        }
    };
}

mod acceptance;
mod control;
mod inspection;
mod runs;
