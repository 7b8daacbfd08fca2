//! A custom object, registered under a name and called over QUIC.
//!
//! ```text
//! cargo run --example object
//! ```

use std::{error::Error, time::Duration};

use distro_tui::{
    net::rpc::{error::RemoteError, service::Service},
    node::{Node, NodeConfig, Services},
};

/// An object with two methods; callers are checked against the types here.
fn thermometer() -> Service {
    Service::new("Knows how warm it is")
        .method(
            "celsius(room: str) -> float",
            "The temperature of a room.",
            |_caller, (room,): (String,)| async move {
                match room.as_str() {
                    "kitchen" => Ok(21.5),
                    "cellar" => Ok(12.0),
                    other => Err(RemoteError::not_found(format!(
                        "there is no room `{other}`"
                    ))),
                }
            },
        )
        .method(
            "rooms() -> list",
            "Every room.",
            |_caller, []: [(); 0]| async { Ok::<_, RemoteError>(vec!["kitchen", "cellar"]) },
        )
}

/// Starts a node with the object registered as `thermometer`, and calls it.
///
/// # Errors
/// When the process does not start.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::temp_dir().join(format!("distro-tui-object-{}", std::process::id()));
    let offers = Services::new().object("thermometer", &["home"], thermometer());
    let node = Node::start_with(&NodeConfig::at(&home), offers)?;

    node.registered().await?;
    for room in ["kitchen", "cellar", "attic"] {
        // The client knows the name only, no address.
        let args = vec![room.into()];
        match node
            .handle()
            .call_by_name("thermometer", "celsius", args, vec![])
            .await
        {
            Ok(called) => println!("{room}: {}", called.value),
            Err(why) => println!("{room}: {why}"),
        }
    }
    node.shutdown(Duration::from_secs(1)).await;
    std::fs::remove_dir_all(home)?;
    Ok(())
}
