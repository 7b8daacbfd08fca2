//! Options of a node that the process starts itself.

use clap::Args;

use super::given;

/// Options of a node that the process starts itself: of `serve` and of the dashboard.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Node")]
pub struct NodeArgs {
    /// Workers at start, 1 to 256 [default: one per CPU, at least 2]
    #[arg(long, value_name = "COUNT")]
    pub workers: Option<String>,

    /// What an acknowledged task survives: power (power loss), process (a crash of the program) or
    /// memory (neither; there is no task file) [default: power]
    #[arg(long, value_name = "WORD")]
    pub durability: Option<String>,

    /// UDP address to listen on; port 0 picks a free port, reusing the last one if possible [default:
    /// 127.0.0.1:0]
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,

    /// Addresses at which others reach this node [default: those of this machine's interfaces]
    #[arg(long, value_name = "ADDR:PORT,...")]
    pub advertise: Option<String>,

    /// Serve Prometheus metrics at /metrics on this TCP address; a port alone binds to loopback
    #[arg(long, value_name = "[ADDR:]PORT")]
    pub metrics: Option<String>,

    /// Disable components: naming, greeter, broker or workers, separated by commas
    #[arg(long, value_name = "COMPONENT,...")]
    pub disable: Option<String>,
}

impl NodeArgs {
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        given([
            ("workers", self.workers.clone()),
            ("durability", self.durability.clone()),
            ("listen", self.listen.clone()),
            ("advertise", self.advertise.clone()),
            ("metrics", self.metrics.clone()),
            ("disable", self.disable.clone()),
        ])
    }

    /// Returns the name of the first option given.
    pub(super) fn first(&self) -> Option<&'static str> {
        let settings = self.settings();
        settings.first().map(|(name, _)| *name)
    }
}
