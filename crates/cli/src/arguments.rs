//! The command line. Scripts rely on it: do not change or remove what is documented.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use indago::config::{Period, Size, SqlDialect};
use indago::table::{Timestamp, closest};
use indago_shell::{Format, Separator, Style};

/// SQL over this machine, its containers, clusters, cloud accounts and repositories.
///
/// With SQL in place of a command: run it, with the options of `query`. Without a command: start the shell, or run the SQL on
/// standard input if that is not a terminal.
#[derive(Debug, Parser)]
#[command(
    name = "indago",
    version,
    max_term_width = 100,
    subcommand_help_heading = "Commands",
    override_usage = "indago [OPTIONS] [COMMAND]\n       indago [OPTIONS] SQL"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

impl Arguments {
    /// The command line of this program. Without a command, SQL is the argument of `query`, and options are those of
    /// `query` or, if standard input is a terminal and there is no SQL, of `shell`.
    pub(crate) fn read(arguments: impl Iterator<Item = OsString>, is_terminal: bool) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.map(marked).collect();
        let error = match Arguments::try_parse_from(&arguments) {
            Ok(parsed) => return Ok(parsed),
            Err(error) => error,
        };
        let commands = Arguments::command();
        let given = arguments.get(1..).unwrap_or_default();
        let word = first_word(&commands, given);
        let is_command =
            |word: &str| word == "help" || commands.get_subcommands().any(|command| word == command.get_name());
        let names_a_command = word.as_deref().is_some_and(is_command);
        if let Some(word) =
            word.as_deref().filter(|word| is_command(word) && error.kind() == ErrorKind::UnknownArgument)
            && let Some(message) = misplaced(&commands, word, given)
        {
            return Err(clap::Error::raw(ErrorKind::UnknownArgument, message));
        }
        // A mistyped command, whatever follows it.
        let is_near = |word: &str| {
            !word.starts_with('.') && closest(word, commands.get_subcommands().map(clap::Command::get_name)).is_some()
        };
        let is_mistyped = word.is_some_and(|word| !word.contains(char::is_whitespace) && is_near(&word));
        if names_a_command || is_mistyped && error.kind() == ErrorKind::InvalidSubcommand {
            return Err(error);
        }
        if !matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument) {
            return Err(error);
        }
        let with = |command: &str| {
            let (program, rest) = arguments.split_at(arguments.len().min(1));
            Arguments::try_parse_from(program.iter().cloned().chain([command.into()]).chain(rest.iter().cloned()))
        };
        match with("query") {
            Ok(Arguments { command: Some(Command::Query(query)), common }) => match query.source() {
                None if is_terminal => with("shell").map_err(|_| error),
                // A single word is a mistyped command, or a table or file without one.
                Some(sql) if !sql.contains(char::is_whitespace) && sql != "-" && !sql.starts_with('.') => {
                    Err(match single(sql) {
                        Some(message) => clap::Error::raw(ErrorKind::InvalidSubcommand, message),
                        None => error,
                    })
                }
                _ => Ok(Arguments { command: Some(Command::Query(query)), common }),
            },
            _ if arguments.iter().any(is_keyword) => {
                let message = "the SQL must be one argument; quote it, as in: indago \"SELECT 1\"\n";
                Err(clap::Error::raw(ErrorKind::InvalidSubcommand, message))
            }
            Ok(_) => Err(error),
            Err(of_query) => with("shell").map_err(|_| match error.kind() {
                ErrorKind::InvalidSubcommand if !has_sql(&arguments) => error,
                _ => of_query,
            }),
        }
    }
}

/// What to run for a single word that is not a command but a file or a table.
fn single(word: &str) -> Option<String> {
    if word.to_lowercase().ends_with(".sql") {
        return Some(format!("no command `{word}`; to run the SQL of a file: indago -f {word}\n"));
    }
    let environments = indago::environments::Environments::of(&indago::environments::Sys::live());
    let is_table = indago::environments::all(&environments).iter().any(|table| table.spec().name == word);
    is_table.then(|| format!("`{word}` is a table; describe it: indago tables {word}\n"))
}

/// The first argument that is neither an option nor the value of an option.
fn first_word<'a>(commands: &clap::Command, arguments: &'a [OsString]) -> Option<Cow<'a, str>> {
    // Without a command, the options are those of `query` or `shell`.
    let of = |command: &str| commands.find_subcommand(command).into_iter().flat_map(clap::Command::get_arguments);
    let options: Vec<&clap::Arg> = commands.get_arguments().chain(of("query")).chain(of("shell")).collect();
    let takes_value = |word: &str| {
        options.iter().filter(|option| option.get_action().takes_values()).any(|option| match word.strip_prefix("--") {
            Some(long) => option.get_long() == Some(long),
            None => word
                .strip_prefix('-')
                .is_some_and(|short| option.get_short().is_some_and(|own| short == own.to_string())),
        })
    };
    let mut words = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(word) = words.next() {
        match &*word {
            "-" => return Some(word),
            "--" => return words.next(),
            option if takes_value(option) => _ = words.next(),
            option if option.starts_with('-') => {}
            _ => return Some(word),
        }
    }
    None
}

/// The error for an option of a command that is before the command.
fn misplaced(commands: &clap::Command, command: &str, arguments: &[OsString]) -> Option<String> {
    let own = commands.find_subcommand(command)?;
    let mut before = arguments.iter().map_while(|argument| argument.to_str().filter(|argument| *argument != command));
    let is_own = |option: &str| {
        let name = option.strip_prefix("--").and_then(|option| option.split('=').next());
        name.is_some_and(|name| own.get_arguments().any(|own| own.get_long() == Some(name)))
    };
    let option = before.find(|argument| is_own(argument))?;
    Some(format!("write the options of `{command}` after it, as in: indago {command} {option}\n"))
}

/// Whether an argument begins a statement that was not quoted.
fn is_keyword(argument: &OsString) -> bool {
    ["SELECT", "WITH", "EXPLAIN", "DESCRIBE"].iter().any(|keyword| argument.eq_ignore_ascii_case(keyword))
}

fn has_sql(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument.to_string_lossy().contains(char::is_whitespace))
}

/// The argument. SQL that begins with a comment (`-- about: ..`) gets a leading space, because clap would read it as an
/// unknown option.
fn marked(argument: OsString) -> OsString {
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    match argument.as_encoded_bytes().strip_prefix(b"--") {
        None | Some([]) => argument,
        Some(rest) => match rest.split(|byte| *byte == b'=').next() {
            Some(name) if !name.is_empty() && is_name(name) => argument,
            _ => [OsString::from(" "), argument].into_iter().collect(),
        },
    }
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Configuration file [default: $INDAGO_CONFIG, else the user's file, else the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read tables from a directory of captured rows instead of the live sources; NAME=DIR adds its tables as
    /// NAME.TABLE, and may be repeated
    #[arg(long = "store", global = true, value_name = "[NAME=]DIR", value_parser = store)]
    pub(crate) stores: Vec<Store>,
    /// Read the host tables below this directory instead of `/`: a mounted disk, collected files or an unpacked image;
    /// may be repeated [default: `host.roots`]
    #[arg(long = "root", global = true, value_name = "DIR")]
    pub(crate) roots: Vec<PathBuf>,
}

/// A directory of captured rows, and the schema of its tables.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) schema: Option<String>,
    pub(crate) dir: PathBuf,
}

/// `name=dir`, or only `dir`. A directory whose name looks like `name=dir` is written with a slash before it.
fn store(text: &str) -> Result<Store, String> {
    match text.split_once('=') {
        Some((schema, dir)) if !schema.contains('/') => match indago::store::Schema::is_name(schema) {
            true => Ok(Store { schema: Some(schema.to_owned()), dir: dir.into() }),
            false => Err(indago::store::Error::SchemaName(schema.to_owned()).to_string()),
        },
        _ => Ok(Store { schema: None, dir: text.into() }),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run SQL and print its rows
    Query(Query),
    /// List the tables, or describe one
    Tables(Tables),
    /// List the SQL functions
    Functions(Functions),
    /// Work with query packs
    Pack(Pack),
    /// Run the configured schedule and log changed rows
    Daemon(Daemon),
    /// Save the current rows of tables; --store runs queries on them
    Capture(Capture),
    /// Record tables, so that queries can read them as they were
    Record(Record),
    /// Show what each environment can read with the current permissions, and what is missing
    Check(Check),
    /// Compare two captures, or a capture with now, table by table
    Diff(Diff),
    /// Check that recorded tables are as they were written
    Verify(Verify),
    /// Print what was recorded of a pod, container, process, role, commit or user, in the order of time
    Timeline(Timeline),
    /// Test AWS IAM policies
    Iam(Iam),
    /// Investigate a break-in at a small company, with embedded data
    Demo(Demo),
    /// Start the interactive shell
    Shell(Shell),
    /// Write the reference pages
    #[command(hide = true)]
    Reference(Reference),
}

/// Where to write the reference pages.
#[derive(Debug, Args)]
pub(crate) struct Reference {
    /// Directory to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Limits and dialect of queries.
#[derive(Debug, Default, Args)]
pub(crate) struct Limits {
    /// Cancel a statement after this time, such as 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) timeout: Option<Period>,
    /// Memory that a statement may use, such as 512MB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) memory: Option<Size>,
    /// API calls that a statement may make, retries included
    #[arg(long, value_name = "N")]
    pub(crate) max_calls: Option<u64>,
    /// Fail with exit code 3 if rows or values are missing
    #[arg(long)]
    pub(crate) strict: bool,
    /// SQL dialect [default: osquery]
    #[arg(long, value_name = "DIALECT")]
    pub(crate) dialect: Option<Dialect>,
}

/// The time whose rows queries read.
#[derive(Debug, Default, Args)]
pub(crate) struct Past {
    /// Read recorded tables as they were at this time: '2026-11-01 03:00', or before now: '-2 hours'
    #[arg(long, value_name = "TIME", value_parser = point_in_time, allow_hyphen_values = true)]
    pub(crate) as_of: Option<Timestamp>,
}

/// Output format of a command.
#[derive(Debug, Default, Args)]
pub(crate) struct Output {
    /// Output format [default: table on a terminal, json otherwise; `tables` and `functions` print plain text]
    #[arg(long, group = "format_of_rows", value_parser = format_parser())]
    format: Option<Format>,
    /// The same as `--format json`
    #[arg(long, group = "format_of_rows")]
    json: bool,
    /// The same as `--format csv`
    #[arg(long, group = "format_of_rows")]
    csv: bool,
    /// The same as `--format line`
    #[arg(long, group = "format_of_rows")]
    line: bool,
    /// The same as `--format list`
    #[arg(long, group = "format_of_rows")]
    list: bool,
    #[command(flatten)]
    separated: Separated,
}

/// How the formats `csv` and `list` are written.
#[derive(Debug, Default, Args)]
struct Separated {
    /// What separates the values of `csv` or `list`: one character, or `\t` for a tab; without a format, that of `csv`
    #[arg(long, value_name = "CHARACTER", allow_hyphen_values = true)]
    separator: Option<Separator>,
    /// Whether `csv` or `list` starts with the names of the columns [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    header: Option<bool>,
}

/// An option that the chosen format does not take.
#[derive(Debug)]
pub(crate) struct NotOfFormat {
    option: &'static str,
    format: Format,
}

impl std::error::Error for NotOfFormat {}

impl fmt::Display for NotOfFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is for the formats csv and list, not for {}", self.option, self.format)
    }
}

impl Output {
    /// The format that the user chose.
    pub(crate) fn chosen(&self) -> Option<Format> {
        let named = [
            (self.json, Format::Json),
            (self.csv, Format::Csv),
            (self.line, Format::Line),
            (self.list, Format::List),
            (self.format.is_none() && self.separated_by().is_some(), Format::Csv),
        ];
        self.format.or_else(|| named.into_iter().find_map(|(is_given, format)| is_given.then_some(format)))
    }

    /// The option about separated values that the user gave.
    fn separated_by(&self) -> Option<&'static str> {
        let Separated { separator, header } = self.separated;
        separator.map(|_| "--separator").or(header.map(|_| "--header"))
    }

    /// The style of standard output. An error if the chosen format does not take an option.
    pub(crate) fn style(&self) -> Result<Style, NotOfFormat> {
        if let (Some(option), Some(format)) = (self.separated_by(), self.chosen())
            && !matches!(format, Format::Csv | Format::List)
        {
            return Err(NotOfFormat { option, format });
        }
        let Separated { separator, header } = self.separated;
        let separated = indago_shell::Separated { separator, header: header != Some(false) };
        Ok(Style { separated, ..Style::of_stdout() })
    }
}

#[derive(Debug, Default, Args)]
pub(crate) struct Query {
    /// SQL, or `-` for standard input; several statements are separated by `;` [default: standard input]
    #[arg(value_name = "SQL", conflicts_with = "file")]
    pub(crate) sql: Option<String>,
    /// Read the SQL from a file; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Write the rows to an Arrow IPC file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) arrow: Option<PathBuf>,
    /// Write the rows to a Parquet file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) parquet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) past: Past,
    /// Give parameter `$NAME` of the SQL a value; repeatable
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// Print to standard error what each scan did
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print to standard error the SQL as rewritten for DataFusion, if it changed
    #[arg(long)]
    pub(crate) rewritten: bool,
}

impl Query {
    /// The SQL, or the file that has it.
    fn source(&self) -> Option<&str> {
        self.sql.as_deref().or(self.file.as_ref().map(|_| "-"))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Tables {
    /// Describe this table: columns, keys, documentation, examples, permissions; or list the tables that mention this
    /// word, or whose names fit a pattern such as 'kube*'
    #[arg(value_name = "NAME|WORD")]
    pub(crate) name: Option<String>,
    /// Print the minimal Kubernetes ClusterRole for the queries of a file or pack; `-` reads SQL from standard input
    #[arg(long, value_name = "FILE.sql|PACK", conflicts_with_all = ["name", "format", "json", "csv", "line"])]
    pub(crate) permissions: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Functions {
    /// List only the functions whose name contains this word, or fits a pattern such as 'json*'
    #[arg(value_name = "WORD")]
    pub(crate) word: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Pack {
    #[command(subcommand)]
    pub(crate) command: PackCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PackCommand {
    /// Run each query of a pack once; report its rows, time, warnings and errors
    Run(PackRun),
}

#[derive(Debug, Args)]
pub(crate) struct PackRun {
    /// An osquery pack (.conf), a directory with a pack.toml, or one .sql file
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Run only this query
    #[arg(long, value_name = "NAME")]
    pub(crate) query: Option<String>,
    /// Print each query's rows instead of the report
    #[arg(long)]
    pub(crate) rows: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// Check the configuration, plan every query and report what is wrong; run nothing
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Capture {
    /// Directory or object-store URL; each capture adds one reading of the tables
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write one Parquet file per table, in a new directory, without the history and the redaction of recorded tables
    #[arg(long)]
    pub(crate) parquet: bool,
    /// Tables to write [default: all; keyed tables with keys from other tables]
    #[arg(value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Records the tables of `[recording.<name>]`; without any, those of the host, its containers, clusters and accounts.
/// Runs until it is interrupted.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Read each table once
    #[arg(long)]
    pub(crate) once: bool,
    /// Directory or object-store URL to record into [default: `record.dir`]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Exit code 0: no difference; 1: differences; 2: not compared; 3: `--strict`, and rows were missing.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Directory of a capture, or `now` for the live tables
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// Directory of a capture, or `now` for the live tables
    #[arg(value_name = "AFTER")]
    pub(crate) after: PathBuf,
    /// Print the rows of this table that differ, instead of the number per table
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Exit code 0: everything is as it was written; 1: something is not, or could not be read.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Directory or object-store URL of recorded tables
    #[arg(value_name = "STORE")]
    pub(crate) store: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Timeline {
    /// UID of a pod, ID of a container or instance, ARN, commit, digest of an image, NAMESPACE/NAME, or KIND:VALUE
    #[arg(value_name = "ENTITY")]
    pub(crate) entity: String,
    /// Start, such as '2026-11-01 03:00' or '-2 hours' [default: the first reading]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) from: Option<String>,
    /// End, such as '2026-11-01 04:00' or '-1 hour' [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Write the rows as a web page, in one file that needs no other
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Exit code 0: nothing is missing; 3: something is. Data of systems that are not here is not missing.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Timeout of each small query, such as 30s [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) timeout: Option<Period>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Iam {
    #[command(subcommand)]
    pub(crate) command: IamCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IamCommand {
    /// Evaluate test cases, and compare each decision with the expected one
    Test(IamTest),
}

/// Exit code 0: all decisions are as expected; 1: some are not, or a case is malformed; 2: nothing was tested.
#[derive(Debug, Args)]
pub(crate) struct IamTest {
    /// A file with cases (.yaml, .yml or .json), or a directory with such files
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Print only the cases that fail
    #[arg(long)]
    pub(crate) failed: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Start the shell over the embedded data, for queries of your own
    #[arg(long)]
    pub(crate) shell: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Default, Args)]
pub(crate) struct Shell {
    /// Do not show long results in a pager
    #[arg(long)]
    pub(crate) no_pager: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) past: Past,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Dialect {
    /// SQL of osquery and SQLite
    Osquery,
    /// DataFusion's own SQL
    Datafusion,
}

impl From<Dialect> for SqlDialect {
    fn from(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Osquery => SqlDialect::Osquery,
            Dialect::Datafusion => SqlDialect::Datafusion,
        }
    }
}

fn format_parser() -> impl clap::builder::TypedValueParser<Value = Format> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

/// `name=value`; a leading `$` belongs to the SQL, not to the name.
fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let name = name.trim_start_matches(['$', ':', '?']);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match name.is_empty() || !name.bytes().all(is_name) {
        true => Err(format!("`{name}` is not a parameter's name: letters, digits and `_`")),
        false => Ok((name.to_owned(), value.to_owned())),
    }
}

fn point_in_time(text: &str) -> Result<Timestamp, String> {
    let now = Timestamp::from(std::time::SystemTime::now());
    indago::point_in_time(text, now).map_err(|error| error.message_with_help())
}

fn period(text: &str) -> Result<Period, String> {
    match text.parse::<Period>() {
        Ok(period) if period.0.is_zero() => Err("must be more than 0".into()),
        Ok(period) => Ok(period),
        Err(error) => Err(error.to_string()),
    }
}

fn size(text: &str) -> Result<Size, String> {
    match text.parse::<Size>() {
        Ok(Size(0)) => Err("must be more than 0".into()),
        Ok(size) => Ok(size),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::read(line.iter().map(OsString::from), true)
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sql_may_begin_with_a_comment() {
        for sql in ["-- about: x\nSELECT 1", "--about\nSELECT 1 = 1", "--====\nSELECT 1", "--é\nSELECT 1"] {
            for line in [vec!["indago", "query", sql], vec!["indago", "query", "--format", "csv", sql, "--stats"]] {
                let arguments = read(&line).expect("understood");
                let Some(Command::Query(query)) = arguments.command else { panic!("a query") };
                assert_eq!(query.sql.expect("some SQL").trim_start(), sql);
            }
        }
        for line in [["--statss", "SELECT 1"], ["--formt=csv", "SELECT 1"], ["SELECT 1", "--sta"], ["-x", "SELECT 1"]] {
            let line: Vec<&str> = ["indago", "query"].into_iter().chain(line).collect();
            let error = read(&line).expect_err("no such option");
            assert_eq!(error.kind(), clap::error::ErrorKind::UnknownArgument);
        }
        assert!(read(&["indago", "query", "--format=csv", "--", "-- x\nSELECT 1"]).is_ok());
    }

    #[test]
    fn sql_needs_no_command() {
        for line in [
            vec!["SELECT 1"],
            vec!["--json", "SELECT 1"],
            vec!["SELECT 1", "--csv", "--stats"],
            vec!["--config", "c", "SELECT 1"],
            vec!["-- why\nSELECT 1"],
            vec!["-f", "some.sql"],
            vec!["-f", "query"],
            vec!["--store", "capture", "SELECT 1"],
            vec!["--json", "--root", "check", "SELECT 1"],
            vec!["--config", "demo", "--param", "help=tables", "SELECT $help"],
            vec!["-", "--json"],
            vec![".tables"],
        ] {
            let all: Vec<&str> = ["indago"].into_iter().chain(line.iter().copied()).collect();
            let command = read(&all).unwrap_or_else(|error| panic!("{line:?}: {error}")).command;
            assert!(matches!(command, Some(Command::Query(_))), "{line:?}: {command:?}");
        }
        // Options of the shell.
        for line in [vec!["--no-pager"], vec!["--csv"], vec!["--format", "line"]] {
            let all: Vec<&str> = ["indago"].into_iter().chain(line.iter().copied()).collect();
            let command = read(&all).unwrap_or_else(|error| panic!("{line:?}: {error}")).command;
            assert!(matches!(command, Some(Command::Shell(_))), "{line:?}: {command:?}");
        }
        let error = |line: &[&str]| read(line).expect_err("an error").to_string();
        assert!(error(&["indago", "tabels"]).contains("'tables'"), "{}", error(&["indago", "tabels"]));
        assert!(error(&["indago", "tabels", "--json"]).contains("'tables'"));
        assert!(error(&["indago", "qury", "SELECT 1"]).contains("'query'"));
        assert!(error(&["indago", "--store", "a", "dif", "a", "b"]).contains("'diff'"));
        assert!(error(&["indago", "SELECT", "1"]).contains("quote it"));
        assert!(error(&["indago", "processes"]).contains("`processes` is a table; describe it: indago tables"));
        assert!(error(&["indago", "some.sql"]).contains("indago -f some.sql"));
        assert!(error(&["indago", "--json", "check"]).contains("indago check --json"));
        assert!(error(&["indago", "SELECT 1", "--formt", "csv"]).contains("--formt"));
        assert!(error(&["indago", "tables", "--formt", "csv"]).contains("--formt"));
        assert!(error(&["indago", "--json", "--csv", "SELECT 1"]).contains("cannot be used with"));
    }

    #[test]
    fn every_documented_form_is_understood() {
        for line in [
            "indago",
            "indago shell",
            "indago query SELECT",
            "indago query --format csv --config c --store d --timeout 30s --memory 512MB --max-calls 100 --strict --stats --dialect datafusion x",
            "indago query -f file.sql --arrow a --parquet p",
            "indago query --param pid=1 --param $name=a=b x",
            "indago query --as-of 2026-01-01T03:00:00Z x",
            "indago timeline shop/web --from -2hours --to 2026-01-01 --html page.html --json",
            "indago pack run path --as-of 2026-01-01",
            "indago shell --as-of 2026-01-01",
            "indago tables --format json",
            "indago tables processes",
            "indago functions",
            "indago functions split --json",
            "indago pack run path --query name --format json",
            "indago daemon --config file",
            "indago daemon --check",
            "indago capture --out dir processes users",
            "indago capture --out dir --json processes",
            "indago capture --out s3://bucket/path --parquet processes",
            "indago query --store a --store b=c --store d1=e=f x",
            "indago query --root /mnt --root / x",
            "indago diff a now --table users --format csv",
            "indago check --timeout 5s --format json",
            "indago demo",
            "indago demo --shell",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "indago nonsense",
            "indago query --format xml x",
            "indago query --timeout soon x",
            "indago query --param pid x",
            "indago query --param =1 x",
            "indago query --timeout 0s x",
            "indago query --as-of yesterday x",
            "indago capture --out dir --as-of 2026-01-01",
            "indago query --memory lots x",
            "indago query --max-calls many x",
            "indago query -f file x",
            "indago capture",
            "indago query --store B=c x",
            "indago query --store main=c x",
            "indago diff a",
            "indago pack",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
