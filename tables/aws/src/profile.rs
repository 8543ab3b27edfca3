//! One profile: the sources of its credentials, region and certificates, and its clients.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
#[allow(deprecated, reason = "their new names are in a crate of their own")]
use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use indago_net::Authorities;
use indago_table::prelude::*;
use tokio::sync::Mutex as AsyncMutex;

use crate::files::{Chain, Files, at_home, check_small};
use crate::http;

/// Timeout for credentials: a program may have to query a server for them.
pub(crate) const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(25);

/// One set of credentials.
pub(crate) struct Profile {
    pub(crate) name: String,
    origin: Origin,
    loaded: AsyncMutex<Option<Arc<Loaded>>>,
}

/// The loaded profile, and the clients created so far.
pub(crate) struct Loaded {
    config: SdkConfig,
    /// Timestamp of the query whose credentials were refused; 0 for none.
    refused: AtomicI64,
    clients: Mutex<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>,
}

/// The source of a profile's credentials and region.
pub(crate) enum Origin {
    /// The environment's selection: variables, profile files, a container's or an instance's role.
    Machine(Found),
    /// A profile by name. Keys in environment variables do not replace it.
    Named(Found),
    /// An embedder's own configuration.
    Given(Box<SdkConfig>),
}

/// Path of the machine's configuration, if it is not the default.
pub(crate) struct Found {
    pub(crate) file: Option<PathBuf>,
    pub(crate) endpoint: Option<String>,
}

/// A client of a service.
pub(crate) trait Client: Send + Sync + 'static {
    /// The client for a configuration.
    fn new(config: &SdkConfig) -> Self;
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").finish_non_exhaustive()
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Profile").field(&self.name).finish()
    }
}

impl Profile {
    pub(crate) fn new(name: &str, origin: Origin) -> Self {
        Profile { name: name.into(), origin, loaded: AsyncMutex::default() }
    }

    /// The configuration and its clients, for the query with that timestamp. An invalid configuration is read again on
    /// the next call; one whose credentials were refused is read again by the next query.
    pub(crate) async fn loaded(&self, moment: Timestamp) -> Result<Arc<Loaded>> {
        let mut loaded = self.loaded.lock().await;
        if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.serves(moment)) {
            return Ok(loaded.clone());
        }
        let config = Box::pin(self.load()).await?;
        let new = Loaded { config, refused: AtomicI64::default(), clients: Mutex::default() };
        Ok(loaded.insert(Arc::new(new)).clone())
    }

    /// The profile's own region.
    pub(crate) async fn region(&self, moment: Timestamp) -> Result<Option<String>> {
        Ok(self.loaded(moment).await?.config.region().map(ToString::to_string))
    }

    async fn load(&self) -> Result<SdkConfig> {
        let found = match &self.origin {
            Origin::Given(config) => return Ok(ours(config)),
            Origin::Machine(found) | Origin::Named(found) => found,
        };
        let sys = Sys::live();
        let is_machine = matches!(self.origin, Origin::Machine(_));
        let files = Files::read(&sys, found.file.as_deref());
        let chain = match is_machine && self.name == "default" && !files.has("default") {
            true => Chain { profile: "default".to_owned(), ..Chain::default() },
            false => files.chain(&self.name)?,
        };
        check_reads(&sys, &chain)?;
        // The SDK opens these again itself, whatever they are. Users set an empty device to state that there is none.
        let token = sys.variable("AWS_WEB_IDENTITY_TOKEN_FILE").filter(|path| is_machine && !path.is_empty());
        let opened = files.looked_at().iter().cloned().chain(token.map(PathBuf::from));
        let mut opened = opened.filter(|file| file.as_os_str() != "/dev/null");
        opened.try_for_each(|file| check_small(&sys, &file).if_present().map(|_| ()))?;
        let http = http::client(self.bundle(&sys, &chain)?);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .retry_config(RetryConfig::disabled())
            .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).build())
            .profile_files(profile_files(&chain))
            .profile_name(&chain.profile);
        if let Some(endpoint) = &found.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(region) = region_of_variables(&sys).or_else(|| chain.region.clone()) {
            loader = loader.region(Region::new(region));
        }
        let config = loader.load().await;
        let provider = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_http_client(http)
            .with_behavior_version(config.behavior_version());
        let of_profile = ProfileFileCredentialsProvider::builder()
            .configure(&provider)
            .profile_name(&chain.profile)
            .profile_files(profile_files(&chain));
        let of_profile =
            chain.ways.into_iter().fold(of_profile, |builder, (name, way)| builder.with_custom_provider(name, way));
        let of_profile = of_profile.build();
        let credentials = if is_machine {
            let chain =
                CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
                    .or_else("Profile", of_profile)
                    .or_else(
                        "WebIdentityToken",
                        WebIdentityTokenCredentialsProvider::builder().configure(&provider).build(),
                    )
                    .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&provider).build())
                    .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&provider).build());
            SharedCredentialsProvider::new(chain)
        } else {
            SharedCredentialsProvider::new(of_profile)
        };
        Ok(config.into_builder().credentials_provider(credentials).build())
    }

    /// The trusted certificates instead of the machine's, from the places that the AWS CLI uses.
    fn bundle(&self, sys: &Sys, chain: &Chain) -> Result<Option<Authorities>> {
        let variable = |name: &str| Some((sys.variable(name).filter(|path| !path.is_empty())?, name.to_owned()));
        let of_profile = || Some((chain.ca_bundle.clone()?, format!("`ca_bundle` of profile {}", self.name)));
        let named = variable("AWS_CA_BUNDLE").or_else(of_profile).or_else(|| variable("REQUESTS_CA_BUNDLE"));
        named.map(|(path, by)| http::bundle(sys, &at_home(sys, &path), &by)).transpose()
    }

    /// The profile's own region without loading the profile, if variables or a profile file name it. For display only:
    /// the loaded profile decides.
    pub(crate) fn home_region(&self) -> Option<String> {
        if let Some(loaded) = self.loaded.try_lock().ok().and_then(|loaded| loaded.clone()) {
            return loaded.config.region().map(ToString::to_string);
        }
        match &self.origin {
            Origin::Given(config) => config.region().map(ToString::to_string),
            Origin::Machine(found) | Origin::Named(found) => {
                let sys = Sys::live();
                let in_file = || Files::read(&sys, found.file.as_deref()).region(&self.name);
                region_of_variables(&sys).or_else(in_file)
            }
        }
    }
}

impl Loaded {
    /// Records that the credentials were refused for the query with that timestamp.
    pub(crate) fn refuse(&self, moment: Timestamp) {
        self.refused.store(moment.0, Ordering::Relaxed);
    }

    fn serves(&self, moment: Timestamp) -> bool {
        [0, moment.0].contains(&self.refused.load(Ordering::Relaxed))
    }

    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// A service's client in a region, created on first use.
    pub(crate) fn client<C: Client>(&self, config: &SdkConfig) -> Arc<C> {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry((TypeId::of::<C>(), region)).or_insert_with(|| Arc::new(C::new(config))).clone();
        client.downcast().unwrap_or_else(|_| Arc::new(C::new(config)))
    }
}

/// The region that variables set for all profiles.
fn region_of_variables(sys: &Sys) -> Option<String> {
    let variable = |name| sys.variable(name).map(|region| region.trim().to_ascii_lowercase());
    let mut named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().filter_map(variable);
    named.find(|region| !region.is_empty())
}

/// The SDK opens these itself, whatever they are.
fn check_reads(sys: &Sys, chain: &Chain) -> Result<()> {
    let mut files = chain.reads.clone();
    if let Some(cache) = sys.home().map(|home| home.join(".aws/sso/cache")).filter(|_| chain.uses_sso) {
        files.extend(sys.read_dir(&cache).if_present()?.into_iter().flatten().map(|name| cache.join(name)));
    }
    files.iter().try_for_each(|file| check_small(sys, file).if_present().map(|_| ()))
}

#[allow(deprecated, reason = "their new names are in a crate of their own")]
fn profile_files(chain: &Chain) -> ProfileFiles {
    ProfileFiles::builder().with_contents(ProfileFileKind::Config, chain.text.clone()).build()
}

/// An embedder's configuration with the settings that the tables depend on.
fn ours(config: &SdkConfig) -> SdkConfig {
    let builder = config.clone().into_builder().retry_config(RetryConfig::disabled());
    let builder = match config.behavior_version() {
        None => builder.behavior_version(BehaviorVersion::latest()),
        Some(_) => builder,
    };
    let builder = match config.http_client() {
        None => builder.http_client(http::client(None)),
        Some(_) => builder,
    };
    // One for all services, shared by all calls.
    match config.identity_cache() {
        None => builder.identity_cache(IdentityCache::lazy().build()).build(),
        Some(_) => builder.build(),
    }
}
