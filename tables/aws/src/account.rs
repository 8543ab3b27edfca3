//! The environment: profiles, their accounts, and the slices that a scan reads.
//!
//! A [`Profile`] is one set of credentials. A table's scan is divided into [`Place`]s, which needs no call. Opening a
//! place gives [`Site`]s: a profile in a region with its clients and the origin values of its rows.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_stream::try_stream;
use aws_types::SdkConfig;
use aws_types::region::Region;
use futures::stream::{BoxStream, Stream, StreamExt};
use indago_table::prelude::*;
use indago_table::{KeyValue, Part};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument as _;

use crate::call;
use crate::partition::Partition;
use crate::profile::{Client, Found, Loaded, Origin, Profile};

/// The `region` of tables about global services (IAM, the account itself).
pub(crate) const GLOBAL: &str = "global";

/// Region for global calls when the profile has none.
const HOME_OF_GLOBAL: &str = "us-east-1";

/// The pattern of all regions.
const ALL: &str = "*";

/// Columns by which scans are pruned. They have the same names in every table.
const ACCOUNT_ID: &str = "account_id";
const REGION: &str = "region";
const PROFILE: &str = "profile";
/// Keys on these may belong to another account, so the account must be known before any other call.
const ARNS: [&str; 2] = ["arn", "policy_arn"];

/// The accounts and regions that the tables read. The default is the same as that of the machine's AWS tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// Profile names; empty for the one that the environment selects. If two profiles belong to one account, its rows
    /// appear twice, with different values of `profile`.
    pub profiles: Vec<String>,
    /// Regions that regional tables read if a query names none. `*` stands for any text: `eu-*` matches those in
    /// Europe. Empty is the same as `*`: every region that the account has enabled.
    pub regions: Vec<String>,
    /// An endpoint to use instead of AWS, such as `http://127.0.0.1:5000`. `AWS_ENDPOINT_URL` and profiles can also set
    /// it.
    pub endpoint_url: Option<String>,
    /// The profile file to read instead of `~/.aws/config`. It may also contain credentials.
    pub config_file: Option<PathBuf>,
    /// Directories of CloudTrail's log files, which `aws_cloudtrail_event` and `aws_denied` read instead of calling
    /// CloudTrail. Empty: they call it.
    pub cloudtrail_logs: Vec<PathBuf>,
}

/// The AWS accounts that tables read. Creating one reads no file and makes no call.
#[derive(Debug, Clone)]
pub struct Aws {
    profiles: Vec<Arc<Profile>>,
    regions: Vec<String>,
    cloudtrail_logs: Vec<PathBuf>,
    /// The machine with these logs.
    logs: Sys,
}

impl Environment for Aws {
    const NAME: &'static str = "aws";
}

impl Default for Aws {
    /// The same as the machine's AWS tools.
    fn default() -> Self {
        Aws::new(&AwsSettings::default())
    }
}

impl Aws {
    /// The profiles and regions of the settings.
    pub fn new(settings: &AwsSettings) -> Self {
        let (file, endpoint) = (&settings.config_file, &settings.endpoint_url);
        let found = || Found { file: file.clone(), endpoint: endpoint.clone() };
        let mut aws = Aws::empty().with_regions(settings.regions.clone());
        aws.cloudtrail_logs.clone_from(&settings.cloudtrail_logs);
        for name in &settings.profiles {
            aws.add(name, Origin::Named(found()));
        }
        if settings.profiles.is_empty() {
            let variable = |name: &str| Sys::live().variable(name).filter(|name| !name.is_empty());
            let name = variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE"));
            aws.add(&name.unwrap_or_else(|| "default".into()), Origin::Machine(found()));
        }
        aws
    }

    /// No account. [`with_config`](Aws::with_config) adds some.
    pub fn empty() -> Self {
        Aws { profiles: Vec::new(), regions: vec![ALL.to_owned()], cloudtrail_logs: Vec::new(), logs: Sys::live() }
    }

    /// Reads CloudTrail's log files on another machine, such as one under another root.
    #[must_use]
    pub fn with_logs_of(self, sys: &Sys) -> Self {
        Aws { logs: sys.clone(), ..self }
    }

    /// The directories of CloudTrail's log files.
    pub(crate) fn cloudtrail_logs(&self) -> &[PathBuf] {
        &self.cloudtrail_logs
    }

    /// The machine with CloudTrail's log files.
    pub(crate) fn logs(&self) -> &Sys {
        &self.logs
    }

    /// Adds an account with the credentials, region, endpoint and HTTP client of the configuration.
    ///
    /// Its own retries are disabled: the engine retries calls, within its own limits.
    #[must_use]
    pub fn with_config(mut self, name: &str, config: SdkConfig) -> Self {
        self.add(name, Origin::Given(Box::new(config)));
        self
    }

    /// Sets the regions that regional tables read; patterns as in [`AwsSettings::regions`].
    #[must_use]
    pub fn with_regions<R: Into<String>>(mut self, regions: impl IntoIterator<Item = R>) -> Self {
        let regions = regions.into_iter().map(|region| region.into().trim().to_ascii_lowercase());
        self.regions = regions.filter(|region| !region.is_empty()).collect();
        if self.regions.is_empty() {
            self.regions.push(ALL.to_owned());
        }
        self
    }

    /// Names are unique: sources find a row's account by it.
    fn add(&mut self, name: &str, origin: Origin) {
        self.profiles.retain(|other| other.name != name);
        self.profiles.push(Arc::new(Profile::new(name, origin)));
    }

    /// Where a row came from, by its `profile` and `region` columns. Sources use it to request more about a row.
    /// `moment` is the query's timestamp.
    pub(crate) async fn site(&self, profile: &str, region: &str, moment: Timestamp) -> Result<Site> {
        let Some(profile) = self.profiles.iter().find(|other| other.name == profile) else {
            return Err(Error::Gone(format!("profile {profile}")));
        };
        Site::new(profile, (region != GLOBAL).then_some(region), moment).await
    }

    /// The names of the profiles.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &str> {
        self.profiles.iter().map(|profile| profile.name.as_str())
    }

    /// Whether regional tables read a region.
    pub(crate) fn reads_region(&self, region: &str) -> bool {
        self.regions.iter().any(|like| matches(like, region))
    }
}

/// Services with typed clients: one line below and one crate in `Cargo.toml` for each. Services that speak JSON need
/// neither; see [`api`](crate::api).
macro_rules! clients {
    ($($service:ident: $sdk:ident;)*) => {
        $(impl Client for $sdk::Client {
            fn new(config: &SdkConfig) -> Self {
                let config = $sdk::config::Builder::from(config)
                    .interceptor(call::WholeAnswers)
                    .interceptor(call::BoundBytes::default());
                $sdk::Client::from_conf(config.build())
            }
        })*

        impl Site {
            $(pub(crate) fn $service(&self) -> Arc<$sdk::Client> {
                self.loaded.client(&self.config)
            })*
        }
    };
}

clients! {
    ec2: aws_sdk_ec2;
    iam: aws_sdk_iam;
    sts: aws_sdk_sts;
}

/// One slice of a scan: a profile, the regions to read, and the call that returns the rows.
#[derive(Debug)]
pub struct Place {
    profile: Arc<Profile>,
    scope: Scope,
    /// Whether the account must be known first.
    needs_identity: bool,
    call: &'static str,
}

/// The regions of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// None: data about the account itself and about all its regions.
    Account,
    /// None: global services of the account. The rows' region is `global`.
    Global,
    /// A configured region.
    Region(String),
    /// A region that the query names, if the account has it.
    Named(String),
    /// The account's enabled regions that match a pattern.
    Matching(Vec<String>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.profile.name)?;
        match &self.scope {
            Scope::Account | Scope::Global => write!(f, "/{GLOBAL}")?,
            Scope::Region(region) | Scope::Named(region) => write!(f, "/{region}")?,
            Scope::Matching(patterns) => write!(f, "/{}", patterns.join(","))?,
        }
        let asks_for_regions = match &self.scope {
            Scope::Matching(_) => true,
            Scope::Named(region) => self.profile.home_region().as_ref() != Some(region),
            _ => false,
        };
        let identity = self.needs_identity.then_some(call::IDENTITY);
        let regions = asks_for_regions.then_some(call::REGIONS);
        let before = identity.into_iter().chain(regions).filter(|before| *before != self.call);
        write!(f, " {}", before.chain([self.call]).collect::<Vec<_>>().join(", "))
    }
}

impl Part for Place {
    fn known(&self, column: &str) -> Option<String> {
        match (column, &self.scope) {
            (PROFILE, _) => Some(self.profile.name.clone()),
            (REGION, Scope::Global) => Some(GLOBAL.to_owned()),
            (REGION, Scope::Region(region) | Scope::Named(region)) => Some(region.clone()),
            _ => None,
        }
    }
}

impl Place {
    /// Each account once: for tables about global services. Their `region` is `global`. `call` returns the rows.
    pub(crate) fn global<T: Row<Env = Aws>>(scan: &Scan<T>, call: &'static str) -> Result<Vec<Place>> {
        let admitted = keys(scan, REGION).is_none_or(|regions| regions.iter().any(|region| region == GLOBAL));
        Ok(if admitted { places(scan, &[Scope::Global], call) } else { Vec::new() })
    }

    /// Each account once, whatever the table's region column means.
    pub(crate) fn accounts<T: Row<Env = Aws>>(scan: &Scan<T>, call: &'static str) -> Result<Vec<Place>> {
        Ok(places(scan, &[Scope::Account], call))
    }

    /// Each account in the regions that the query names, otherwise in the configured ones that the keys of a join
    /// allow.
    ///
    /// Without configuration, these are all that the account has enabled.
    pub(crate) fn regional<T: Row<Env = Aws>>(scan: &Scan<T>, call: &'static str) -> Result<Vec<Place>> {
        report_absent(scan, REGION, |text| {
            let lower = text.to_ascii_lowercase();
            let hint = match is_region_name(&lower) {
                true => format!("did you mean `{lower}`?"),
                false => "regions have names such as us-east-1".to_owned(),
            };
            (!is_region_name(text) && text != GLOBAL).then(|| format!("`{text}` is not a region: {hint}"))
        });
        let is_named = named_keys(scan, REGION).is_some();
        Ok(places(scan, &scopes(&scan.env().regions, keys(scan, REGION), is_named), call))
    }

    /// Like [`regional`](Place::regional), for tables whose ARNs contain the account's ID, which AWS's responses lack.
    pub(crate) fn regional_with_account<T: Row<Env = Aws>>(scan: &Scan<T>, call: &'static str) -> Result<Vec<Place>> {
        let mut places = Place::regional(scan, call)?;
        let needs_account = ["arn", "akas"].iter().any(|column| wants(scan, column));
        places.iter_mut().for_each(|place| place.needs_identity |= needs_account);
        Ok(places)
    }

    /// The rows of the place. `rows` returns those of one site. It is not called for sites that the query's keys
    /// exclude.
    ///
    /// If the place consists of several regions, a region that fails is reported and the others are still read.
    pub(crate) fn rows<'a, T, F>(&'a self, scan: &'a Scan<T>, rows: F) -> impl Stream<Item = Result<T>> + Send + 'a
    where
        T: Row<Env = Aws>,
        F: for<'s> Fn(&'s Scan<T>, Site) -> BoxStream<'s, Result<T>> + Copy + Send + Sync + 'static,
    {
        try_stream! {
            let mut sites = Box::pin(self.sites(scan)).await?;
            let alone = if sites.len() == 1 { sites.pop() } else { None };
            if let Some(site) = alone {
                let mut rows = rows(scan, site);
                while let Some(row) = rows.next().await {
                    yield row?;
                }
            }
            // While this stream waits at a yield, another site may be in the middle of a call, holding a permit of the
            // endpoint and a page that other scans of the query wait for. Tasks complete it even if nothing polls this
            // stream.
            let places = Arc::new(Semaphore::new(scan.context().gate.concurrency().max(1)));
            let (sender, mut receiver) = mpsc::channel(1);
            let mut tasks = JoinSet::new();
            for site in sites {
                let (scan, places, sender) = (scan.clone(), places.clone(), sender.clone());
                let read = async move {
                    let _place = places.acquire().await;
                    let origin = site.to_string();
                    send_rows(&scan, &origin, rows(&scan, site), &sender).await;
                };
                tasks.spawn(read.in_current_span());
            }
            drop(sender);
            while let Some(row) = receiver.recv().await {
                yield row?;
            }
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(failed_task)?;
            }
        }
    }

    /// The sites that the query's keys allow, with the account's ID if the query needs it.
    async fn sites<T: Row<Env = Aws>>(&self, scan: &Scan<T>) -> Result<Vec<Site>> {
        let mut site = match &self.scope {
            Scope::Region(region) => Site::new(&self.profile, Some(region), scan.moment()).await?,
            Scope::Account | Scope::Global | Scope::Named(_) | Scope::Matching(_) => {
                Site::new(&self.profile, None, scan.moment()).await?
            }
        };
        if self.needs_identity {
            (_, site) = call::identity(scan, &site).await?;
            if keys(scan, ACCOUNT_ID).is_some_and(|accounts| !accounts.contains(&site.account_id)) {
                self.notice_other_account(scan, &site).await?;
                return Ok(Vec::new());
            }
        }
        let sites = match &self.scope {
            Scope::Named(region) => self.named(scan, &site, region).await?.into_iter().collect(),
            Scope::Matching(patterns) => self.matching(scan, &site, patterns).await?,
            _ => vec![site],
        };
        let mut left = Vec::with_capacity(sites.len());
        for site in sites {
            let has_region = !matches!(self.scope, Scope::Account);
            let known = |column: &str| match column {
                ACCOUNT_ID if self.needs_identity => Some(site.account_id()),
                REGION if has_region => Some(site.region()),
                other => self.known(other),
            };
            if scan.admits_part(known)? {
                left.push(site);
            }
        }
        Ok(left)
    }

    /// The account's enabled regions that match; the profile's own region if they cannot be listed.
    async fn matching<T: Row<Env = Aws>>(&self, scan: &Scan<T>, site: &Site, patterns: &[String]) -> Result<Vec<Site>> {
        let is_chosen = |region: &str| patterns.iter().any(|like| matches(like, region));
        let (what, needs) = match call::enabled_regions(scan, site).await {
            Ok(regions) => {
                let ours =
                    regions.iter().filter(|region| Partition::of(region).name == site.partition() && is_chosen(region));
                return Ok(ours.map(|region| site.in_region(region)).collect());
            }
            Err(Error::Denied { what, needs: Some(needs) }) => (what, needs),
            Err(error) => return Err(error),
        };
        let home = self.profile.region(scan.moment()).await?;
        let (read, sites) = match home.filter(|home| is_chosen(home)) {
            Some(home) => (format!("only {home}, the region of the profile, was read"), vec![site.in_region(&home)]),
            None => ("the profile has no region to read instead".to_owned(), Vec::new()),
        };
        let what = format!("{what}: {read}; other regions of the account were not read");
        scan.report(site.to_string(), &Error::Denied { what, needs: Some(needs) });
        Ok(sites)
    }

    /// The site in a region that the query names. The account may not have that region.
    async fn named<T: Row<Env = Aws>>(&self, scan: &Scan<T>, site: &Site, region: &str) -> Result<Option<Site>> {
        let named = Some(site.in_region(region));
        if self.profile.region(scan.moment()).await?.as_deref() == Some(region) {
            return Ok(named);
        }
        let is_of = |profile: &Arc<Profile>| {
            profile.home_region().is_some_and(|home| Partition::of(&home) == Partition::of(region))
        };
        match call::enabled_regions(scan, site).await {
            Ok(regions) if regions.iter().any(|enabled| enabled == region) => Ok(named),
            // The region belongs to another partition, so to other profiles.
            Ok(_) if Partition::of(region).name != site.partition() && scan.env().profiles.iter().any(is_of) => {
                Ok(None)
            }
            Ok(_) => {
                let hint = "`SELECT name, opt_in_status FROM aws_region` lists its regions";
                let message =
                    format!("profile {}: its account has no region {region} enabled; {hint}", self.profile.name);
                scan.report(format!("{REGION}={region}"), &Error::Unsupported(message));
                Ok(None)
            }
            Err(error) if error.ends_query() => Err(error),
            // A caller that may not list regions may still be able to read them. This costs one call in any case.
            Err(_) => Ok(named),
        }
    }

    /// Reports a query that names an account to which no profile belongs.
    async fn notice_other_account<T: Row<Env = Aws>>(&self, scan: &Scan<T>, site: &Site) -> Result<()> {
        if named_keys(scan, ACCOUNT_ID).is_none() {
            return Ok(());
        }
        // At most one entry per profile.
        let size = profiles(scan).count() * size_of::<(String, String)>();
        let seen = scan.cached("aws/accounts", async { Ok((Mutex::new(BTreeMap::new()), size)) }).await?;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = seen.insert(self.profile.name.clone(), site.account_id()).is_none();
        if is_new && seen.len() == profiles(scan).count() {
            let accounts: Vec<_> =
                seen.iter().map(|(profile, account)| format!("{account} (profile {profile})")).collect();
            report_absent(scan, ACCOUNT_ID, |account| {
                let message = || format!("no profile belongs to account {account}; there are: {}", accounts.join(", "));
                (!seen.values().any(|known| known == account)).then(message)
            });
        }
        Ok(())
    }
}

/// Sends the rows of one of several sites. An error that affects only this site is reported.
async fn send_rows<T: Row<Env = Aws>>(
    scan: &Scan<T>,
    origin: &str,
    mut rows: BoxStream<'_, Result<T>>,
    sender: &mpsc::Sender<Result<T>>,
) {
    while let Some(row) = rows.next().await {
        match row {
            Err(error) if !error.ends_query() => scan.report(origin, &error),
            row => {
                if sender.send(row).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Continues a task's panic in the caller that waits for it.
fn failed_task(error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::Cancelled,
    }
}

fn places<T: Row<Env = Aws>>(scan: &Scan<T>, scopes: &[Scope], call: &'static str) -> Vec<Place> {
    report_absent(scan, PROFILE, |name| {
        let known: Vec<&str> = scan.env().profiles.iter().map(|profile| profile.name.as_str()).collect();
        let message = || format!("no profile `{name}` is configured; there are: {}", known.join(", "));
        (!known.contains(&name)).then(message)
    });
    let needs_identity = needs_identity(scan);
    let place = |profile: &Arc<Profile>, scope: &Scope| Place {
        profile: profile.clone(),
        scope: scope.clone(),
        needs_identity,
        call,
    };
    profiles(scan).flat_map(|profile| scopes.iter().map(move |scope| place(profile, scope))).collect()
}

/// The profiles that match the query's keys.
fn profiles<T: Row<Env = Aws>>(scan: &Scan<T>) -> impl Iterator<Item = &Arc<Profile>> {
    let keys = keys(scan, PROFILE);
    let is_asked = move |profile: &&Arc<Profile>| keys.as_ref().is_none_or(|keys| keys.contains(&profile.name));
    scan.env().profiles.iter().filter(is_asked)
}

/// [`indago_table::ScanContext::report_absent`] for a column that not every table has.
fn report_absent<T: Row>(scan: &Scan<T>, column: &str, why: impl Fn(&str) -> Option<String>) {
    if let Some(column) = T::SPEC.column(column) {
        scan.context().report_absent(T::SPEC, column, why);
    }
}

/// Whether a scan must know the account before any other call.
fn needs_identity<T: Row<Env = Aws>>(scan: &Scan<T>) -> bool {
    let is_asked = |column: usize| scan.context().constraints.keys(column).is_some();
    let asks_for_account = ARNS.iter().chain([&ACCOUNT_ID]).any(|column| T::SPEC.column(column).is_some_and(is_asked));
    asks_for_account || wants(scan, ACCOUNT_ID)
}

/// The scopes for the configured regions and a query's keys. `is_named` is set if the query itself states the keys, not
/// a join: then it expects them to exist.
fn scopes(configured: &[String], keys: Option<Vec<String>>, is_named: bool) -> Vec<Scope> {
    let is_pattern = |region: &String| region.contains('*');
    let region = |region: String| Scope::Region(region);
    match keys {
        Some(keys) => {
            let mut seen = HashSet::new();
            let keys = keys.into_iter().filter(|key| is_region_name(key) && seen.insert(key.clone()));
            // A configured region that the query names is read without listing the regions.
            let (exact, others): (Vec<_>, Vec<_>) = keys.partition(|key| configured.contains(key));
            let exact = exact.into_iter().map(region);
            if is_named {
                return exact.chain(others.into_iter().map(Scope::Named)).collect();
            }
            let others: Vec<_> =
                others.into_iter().filter(|key| configured.iter().any(|like| matches(like, key))).collect();
            exact.chain((!others.is_empty()).then_some(Scope::Matching(others))).collect()
        }
        None if configured.iter().any(is_pattern) => vec![Scope::Matching(configured.to_vec())],
        None => configured.iter().cloned().map(region).collect(),
    }
}

/// Whether a text can be a region's name. Anything else must not become part of a host name.
pub(crate) fn is_region_name(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) => {
            words.len() >= 2
                && words.iter().all(is_word)
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        None => false,
    }
}

/// Whether a region matches a pattern, in which `*` is any text.
fn matches(pattern: &str, region: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == region,
        Some((before, after)) => region.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// The keys of a column that not every table has; none before they arrive.
fn keys<T: Row>(scan: &Scan<T>, column: &str) -> Option<Vec<String>> {
    let position = T::SPEC.column(column)?;
    let keys = scan.context().constraints.keys(position)?;
    let is_open = scan.context().is_open(T::SPEC, position);
    (!is_open).then(|| keys.iter().filter_map(String::from_scalar).collect())
}

/// The same, if the query itself states the keys.
fn named_keys<T: Row>(scan: &Scan<T>, column: &str) -> Option<Vec<String>> {
    let is_joined = scan.context().joined.contains(&T::SPEC.column(column)?);
    if is_joined { None } else { keys(scan, column) }
}

/// Whether the scan reads everything in its accounts and regions. Then one listing with all details is cheaper than
/// details row by row.
pub(crate) fn is_whole<T: Row>(scan: &Scan<T>) -> bool {
    let is_slice = |column: &usize| [ACCOUNT_ID, PROFILE, REGION].contains(&T::SPEC.columns[*column].name.as_ref());
    scan.limit().is_none() && scan.context().constraints.0.keys().all(is_slice)
}

/// Whether the query needs a column that not every table has.
fn wants<T: Row>(scan: &Scan<T>, column: &str) -> bool {
    T::SPEC.column(column).is_some_and(|position| scan.wanted()[position])
}

/// A profile in a region, or in none: the origin values of its rows, and its clients.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    profile: Arc<Profile>,
    loaded: Arc<Loaded>,
    config: SdkConfig,
    region: String,
    account_id: String,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.profile.name, self.region)
    }
}

impl Site {
    async fn new(profile: &Arc<Profile>, region: Option<&str>, moment: Timestamp) -> Result<Site> {
        let loaded = profile.loaded(moment).await?;
        let config = loaded.config();
        let signed_for = match (region, config.region()) {
            (Some(region), _) => Region::new(region.to_owned()),
            (None, Some(home)) => home.clone(),
            (None, None) => Region::from_static(HOME_OF_GLOBAL),
        };
        Ok(Site {
            profile: profile.clone(),
            config: config.clone().into_builder().region(signed_for).build(),
            loaded,
            region: region.unwrap_or(GLOBAL).to_owned(),
            account_id: String::new(),
        })
    }

    /// The same account in another region.
    pub(crate) fn in_region(&self, region: &str) -> Site {
        let config = self.config.clone().into_builder().region(Region::new(region.to_owned())).build();
        Site { config, region: region.to_owned(), ..self.clone() }
    }

    /// The site with its account known.
    pub(crate) fn of_account(&self, account_id: &str) -> Site {
        Site { account_id: account_id.to_owned(), ..self.clone() }
    }

    /// Makes the next query, identified by its timestamp, read the profile's files again.
    pub(crate) fn refuse(&self, moment: Timestamp) {
        self.loaded.refuse(moment);
    }

    /// The configuration of calls.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The `profile` column.
    pub(crate) fn profile(&self) -> String {
        self.profile.name.clone()
    }

    /// The `region` column.
    pub(crate) fn region(&self) -> String {
        self.region.clone()
    }

    /// The `account_id` column; empty if the query does not need it.
    pub(crate) fn account_id(&self) -> String {
        self.account_id.clone()
    }

    /// The `partition` column.
    pub(crate) fn partition(&self) -> String {
        Partition::of(&self.home()).name.to_owned()
    }

    /// The region that calls are signed for.
    pub(crate) fn home(&self) -> String {
        self.config.region().map_or_else(|| HOME_OF_GLOBAL.to_owned(), ToString::to_string)
    }

    /// The endpoint whose limits a call to a service counts against.
    pub(crate) fn endpoint(&self, service: &str) -> String {
        format!("{self}/{service}")
    }
}

#[cfg(test)]
mod tests {
    use indago_table::{ColumnConstraint, Constraints, Scalar, ScanContext};

    use super::*;
    use crate::aws_vpc_security_group::SecurityGroup;

    #[test]
    fn a_profile_that_a_query_names_and_that_is_not_configured_is_reported() {
        let config = || SdkConfig::builder().region(Region::new("eu-west-1")).build();
        let aws = Aws::empty().with_config("prod", config()).with_config("dev", config());
        let profile = SecurityGroup::SPEC.column(PROFILE).expect("it has one");
        let read = |names: &[&str], joined: &[usize]| {
            let keys = names.iter().map(|name| Scalar::Text((*name).to_owned())).collect();
            let asked = ColumnConstraint { keys: Some(Arc::new(keys)), ..ColumnConstraint::default() };
            let context = ScanContext {
                constraints: Arc::new(Constraints([(profile, asked)].into())),
                joined: joined.into(),
                ..ScanContext::new([0])
            };
            let scan = Scan::<SecurityGroup>::new(context, &aws);
            let places = SecurityGroup::parts(&scan).expect("no call is made");
            let read: Vec<_> = places.iter().map(|place| place.profile.name.clone()).collect();
            let told = scan.context().query.diagnostics().warnings();
            (read, told.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let told = "aws_vpc_security_group (profile=nope): no profile `nope` is configured; there are: prod, dev";
        assert_eq!(read(&["nope"], &[]), (vec![], vec![told.to_owned()]));
        assert_eq!(read(&["dev", "nope"], &[]), (vec!["dev".to_owned()], vec![told.to_owned()]));
        assert_eq!(read(&["nope", "prod"], &[profile]), (vec!["prod".to_owned()], vec![]));
    }

    #[test]
    fn regions_are_pruned_before_anything_is_asked() {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let region = |name: &str| Scope::Region(name.into());
        let named = |name: &str| Scope::Named(name.into());
        let matching = |list: &[&str]| Scope::Matching(texts(list));
        let check = |configured: &[&str], keys: Option<&[&str]>, of_query: &[Scope], of_join: &[Scope]| {
            for (is_named, expected) in [(true, of_query), (false, of_join)] {
                let found = scopes(&texts(configured), keys.map(texts), is_named);
                assert_eq!(found, expected, "{configured:?} with keys {keys:?}, named: {is_named}");
            }
        };
        let both = |configured: &[&str], keys, expected: &[Scope]| check(configured, keys, expected, expected);
        both(&["*"], None, &[matching(&["*"])]);
        check(&["*"], Some(&["eu-west-1"]), &[named("eu-west-1")], &[matching(&["eu-west-1"])]);
        both(&["us-east-1", "eu-west-1"], None, &[region("us-east-1"), region("eu-west-1")]);
        check(
            &["us-east-1", "eu-west-1"],
            Some(&["eu-west-1", "eu-west-2"]),
            &[region("eu-west-1"), named("eu-west-2")],
            &[region("eu-west-1")],
        );
        check(
            &["eu-*", "ap-south-1"],
            Some(&["eu-west-1", "us-east-1", "eu-west-1", "ap-south-1"]),
            &[region("ap-south-1"), named("eu-west-1"), named("us-east-1")],
            &[region("ap-south-1"), matching(&["eu-west-1"])],
        );
        both(&["*"], Some(&["global", "", "a/b", "example.com", "x-y-", "x-1"]), &[]);
    }

    #[test]
    fn patterns_match_as_a_whole() {
        for (pattern, region, expected) in [
            ("*", "eu-west-1", true),
            ("eu-*", "eu-west-1", true),
            ("eu-*-1", "eu-west-1", true),
            ("eu-*-1", "eu-west-2", false),
            ("eu-west", "eu-west-1", false),
            ("*-*-*", "eu-west-1", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, region), expected, "{pattern} {region}");
        }
    }

    #[test]
    fn a_name_stands_for_one_profile() {
        let config = || SdkConfig::builder().build();
        let aws = Aws::empty().with_config("a", config()).with_config("b", config()).with_config("a", config());
        assert_eq!(aws.profiles.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }
}
