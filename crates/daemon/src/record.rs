//! The recorder, which runs next to the schedule.

use std::sync::Arc;
use std::time::Duration;

use indago::config::Config;
use indago::store::{Error, TableReading};
use indago::{Engine, Warning};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::metrics::Shown;
use crate::reported::Reported;
use crate::status::Status;

/// Time between two attempts to start the recorder.
const RETRY: Duration = Duration::from_secs(30);

/// A recorder that runs.
#[derive(Debug)]
pub(crate) struct Recording {
    task: JoinHandle<()>,
    /// Dropping it stops the recorder.
    running: oneshot::Sender<()>,
}

impl Recording {
    /// Starts recording, if the configuration enables it, after an earlier recorder has ended.
    pub(crate) fn start(
        earlier: Option<Self>,
        config: &Config,
        engine: &Engine,
        status: Arc<Status>,
        shown: Arc<Shown>,
        workers: &Handle,
    ) -> Option<Self> {
        if !config.record.enabled && earlier.is_none() {
            return None;
        }
        let (running, stop) = oneshot::channel();
        let (config, engine) = (config.clone(), engine.clone());
        let task = workers.spawn(async move {
            if let Some(earlier) = earlier {
                earlier.stop(config.daemon.grace.0).await;
            }
            shown.set_recorder(None);
            if config.record.enabled {
                Box::pin(record(&config, &engine, status, &shown, stop)).await;
            }
        });
        Some(Recording { task, running })
    }

    /// Stops after the readings that are being written, at the latest after `grace`.
    pub(crate) async fn stop(self, grace: Duration) {
        let Recording { mut task, running } = self;
        drop(running);
        if tokio::time::timeout(grace, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn record(config: &Config, engine: &Engine, status: Arc<Status>, shown: &Shown, mut stop: oneshot::Receiver<()>) {
    loop {
        let opened = tokio::select! {
            biased;
            _ = &mut stop => return,
            opened = Box::pin(indago::recorder(engine, config)) => opened,
        };
        let outcome = match opened {
            Ok(recorder) => {
                for problem in recorder.problems() {
                    status.error(problem);
                }
                status.info(&format!(
                    "recording {} tables into {} as {}",
                    recorder.tables(),
                    config.record.dir,
                    recorder.writer()
                ));
                shown.set_recorder(Some(recorder.progress()));
                let stopped = async { _ = (&mut stop).await };
                let (reported, log) = (Reported::default(), status.clone());
                recorder.run(stopped, move |reading| report(&reported, &log, reading)).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => return,
            Err(error @ (Error::Recording { .. } | Error::OtherWriter { .. })) => {
                return status.error(&format!("not recording: {error}"));
            }
            Err(error) => status.error(&format!("not recording, next attempt in {} s: {error}", RETRY.as_secs())),
        }
        tokio::select! {
            _ = &mut stop => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Reports what is wrong with a table's readings, when it begins and when it ends.
fn report(reported: &Reported, status: &Status, reading: &TableReading) {
    let name = format!("record {}", reading.table);
    let missing = reading.warnings.iter().filter(|warning| !warning.is_note()).map(Warning::to_string).collect();
    match &reading.failure {
        None => reported.succeeded(status, &name, missing),
        // The message of a lasting problem names files, so it differs each time.
        Some(_) if reading.is_failing => {}
        Some(failure) => reported.failed(status, &name, missing, failure),
    }
}
