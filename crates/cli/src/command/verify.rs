//! `indago verify`

use std::process::ExitCode;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use indago::store::{Archive, Verified};
use indago_shell::{say, write_batch};

use crate::arguments::Verify;
use crate::exit::{self, Error, Result};
use crate::output::Output;
use crate::{interrupt, setup};

pub(crate) async fn run(arguments: Verify) -> Result {
    let style = arguments.output.style()?;
    let check = async {
        let archive = Archive::open(&arguments.store).await?;
        archive.verify().await
    };
    let verified = tokio::select! {
        biased;
        () = interrupt::interrupted() => return Ok(ExitCode::from(exit::INTERRUPTED)),
        verified = Box::pin(check) => verified.map_err(|error| Error::failed(error.into()))?,
    };
    let Verified { tables, entries, files, bytes, .. } = verified;
    if tables == 0 && verified.breaks.is_empty() {
        let message = format!("{}: no recorded tables; name the location that `[record] dir` names", arguments.store);
        return Err(Error::usage(anyhow::anyhow!(message)));
    }
    say(format_args!("{tables} tables, {entries} log entries and {files} files of {} MB were checked", bytes >> 20));
    if verified.breaks.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let batch = batch(&verified).map_err(|error| Error::failed(error.into()))?;
    write_batch(&batch, setup::format(arguments.output.chosen()), style, &mut Output)?;
    Ok(ExitCode::from(exit::FAILED))
}

/// One row per object that is not as it was written.
fn batch(verified: &Verified) -> std::result::Result<RecordBatch, arrow_schema::ArrowError> {
    let fields = vec![Field::new("object", DataType::Utf8, false), Field::new("reason", DataType::Utf8, false)];
    let breaks = &verified.breaks;
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(breaks.iter().map(|found| Some(found.path.as_str())).collect::<StringArray>()),
            Arc::new(breaks.iter().map(|found| Some(found.why.as_str())).collect::<StringArray>()),
        ],
    )
}
