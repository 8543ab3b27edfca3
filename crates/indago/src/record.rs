//! The recorder of a configuration.

use indago_config::Config;
use indago_engine::Engine;
use indago_store::{Archive, Error, Recorder, Settings};

/// Opens the recorder of a configuration: the tables of `[recording.<name>]`, in the store of `[record]`.
pub async fn recorder(engine: &Engine, config: &Config) -> Result<Recorder, Error> {
    let archive = Archive::open(&config.record.dir.0).await?;
    let settings = Settings { record: config.record.clone(), recording: config.recording.clone() };
    Recorder::open(engine.clone(), archive, &settings).await
}
