//! `call`, `methods` and `greet`

use clap::Args;

use super::OutputArgs;

/// `call`
#[derive(Debug, Clone, Args)]
pub struct Call {
    /// The name that the object is registered under
    pub name: String,
    /// The method
    pub method: String,
    /// Arguments: JSON, or plain words
    #[arg(allow_negative_numbers = true)]
    pub args: Vec<String>,
    /// An argument by name; comes before the method's own
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    pub named: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `methods`
#[derive(Debug, Clone, Args)]
pub struct Methods {
    /// The name that the object is registered under
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}

/// `greet`
#[derive(Debug, Clone, Args)]
pub struct Greet {
    /// Whom; nobody reads a name a line from standard input
    pub names: Vec<String>,
    /// Print answers as they come, not in the order of the names
    #[arg(long)]
    pub unordered: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap shows the text of the type")]
    pub out: OutputArgs,
}
