//! The default folders.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// The user's folders, after the XDG base directory specification on every system.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) config: PathBuf,
    pub(super) data: PathBuf,
    pub(super) state: PathBuf,
}

impl Folders {
    pub(super) fn find(variable: &impl Fn(&str) -> Option<String>) -> Self {
        let home = etcetera::base_strategy::Xdg::new().ok();
        let here = PathBuf::from(".");
        let pick = |name: &str, otherwise: Option<PathBuf>| {
            // The specification says that a relative path there is to be ignored.
            let set = variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute());
            set.or(otherwise)
                .unwrap_or_else(|| here.clone())
                .join("distro-tui")
        };
        Self {
            config: pick(
                "XDG_CONFIG_HOME",
                home.as_ref().map(BaseStrategy::config_dir),
            ),
            data: pick("XDG_DATA_HOME", home.as_ref().map(BaseStrategy::data_dir)),
            state: pick(
                "XDG_STATE_HOME",
                home.as_ref().and_then(BaseStrategy::state_dir),
            ),
        }
    }

    /// Returns the configuration file: `file`, or the default one.
    pub(super) fn config_file(&self, file: Option<&Path>) -> PathBuf {
        file.map_or_else(|| self.config.join("config.toml"), Path::to_owned)
    }
}
