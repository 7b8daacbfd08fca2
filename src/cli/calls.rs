//! `call`, `methods` and `greet`

use clap::Args;

use super::words::non_blank;

/// `call`
#[derive(Debug, Clone, Args)]
pub struct CallArgs {
    /// Name under which the object is registered
    #[arg(value_parser = non_blank)]
    pub name: String,
    /// Name of the method
    #[arg(value_parser = non_blank)]
    pub method: String,
    /// Positional arguments: JSON, or plain words
    #[arg(allow_negative_numbers = true)]
    pub args: Vec<String>,
    /// A named argument; can be repeated
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    pub named: Vec<String>,
}

/// `methods`
#[derive(Debug, Clone, Args)]
pub struct MethodsArgs {
    /// Name under which the object is registered
    #[arg(value_parser = non_blank)]
    pub name: String,
}

/// `greet`
#[derive(Debug, Clone, Args)]
pub struct GreetArgs {
    /// Names to greet; without any, one per line from stdin
    #[arg(value_parser = non_blank)]
    pub names: Vec<String>,
    /// Print replies as they arrive, each with its line number, not in order
    #[arg(long)]
    pub unordered: bool,
}
