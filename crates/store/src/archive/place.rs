//! The directory or bucket that an archive is in.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use url::Url;

use crate::{Error, Result};

/// The directory in which a local archive's files are written before they get their names.
const STAGED: &str = ".staged";

/// Where the objects of an archive are.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) location: Arc<str>,
    pub(super) store: Arc<dyn ObjectStore>,
    /// The local directory; `None` for an object store.
    pub(super) directory: Option<PathBuf>,
}

/// The object store of a URL, and the path in it.
#[cfg(feature = "cloud")]
fn in_cloud(url: &Url, location: &str, options: &[(String, String)]) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    use std::time::Duration;

    use object_store::aws::AmazonS3Builder;
    use object_store::azure::MicrosoftAzureBuilder;
    use object_store::gcp::GoogleCloudStorageBuilder;
    use object_store::{ClientOptions, ObjectStoreScheme};

    /// Time to connect.
    const CONNECT: Duration = Duration::from_secs(10);

    let parsed = ObjectStoreScheme::parse(url)
        .map_err(|_| format!("`{}` is not a kind of object store; use s3, gs, az or abfss", url.scheme()));
    let (scheme, prefix) = parsed?;
    let variable = |name: &str| {
        let given = options.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        given.or_else(|| std::env::var(name).ok())
    };
    let client = ClientOptions::new().with_connect_timeout(CONNECT);
    // The builders have no trait in common. An option of another kind of store is skipped: a configuration may have
    // those of several.
    macro_rules! configured {
        ($builder:ty, $client:expr) => {
            options.iter().fold(
                <$builder>::from_env().with_url(location).with_client_options($client),
                |builder, (key, value)| match key.to_ascii_lowercase().parse() {
                    Ok(key) => builder.with_config(key, value),
                    Err(_) => builder,
                },
            )
        };
    }
    let store: Result<Arc<dyn ObjectStore>, object_store::Error> = match scheme {
        ObjectStoreScheme::AmazonS3 => {
            let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
            let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
            let mut builder = configured!(AmazonS3Builder, client.with_allow_http(is_plain));
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            builder.build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            configured!(GoogleCloudStorageBuilder, client).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::MicrosoftAzure => {
            configured!(MicrosoftAzureBuilder, client).build().map(|store| Arc::new(store) as _)
        }
        _ => return Err(format!("`{}` is not supported; use s3, gs, az or abfss", url.scheme())),
    };
    Ok((store.map_err(|error| error.to_string())?, prefix))
}

/// No object store: this build has no clients of clouds.
#[cfg(not(feature = "cloud"))]
fn in_cloud(url: &Url, _: &str, _: &[(String, String)]) -> Result<(Arc<dyn ObjectStore>, Path), String> {
    Err(format!("`{}`: this program was built without the feature `cloud`; use a directory", url.scheme()))
}

impl Place {
    /// A path, or the URL of a directory or bucket. Options are those of the object store, by the names that its
    /// environment variables have; they come before the environment. Creates nothing.
    pub(super) fn with(location: &str, options: &[(String, String)]) -> Result<Self> {
        let failed = |why: String| Error::Location { location: location.to_owned(), why };
        let shown: Arc<str> = location.into();
        let local = |path: PathBuf| {
            let store = Arc::new(Folder::new(path.clone()).map_err(failed)?);
            Ok(Place { location: shown.clone(), store, directory: Some(path) })
        };
        if !is_url(location) {
            return local(location.into());
        }
        let url = Url::parse(location).map_err(|error| failed(error.to_string()))?;
        if url.scheme() == "file" {
            return local(url.to_file_path().map_err(|()| failed("not the URL of a local directory".to_owned()))?);
        }
        if !url.username().is_empty() && !matches!(url.scheme(), "abfs" | "abfss") || url.password().is_some() {
            return Err(failed("a URL with a user or password; use the environment variables of the cloud".to_owned()));
        }
        let (store, prefix) = in_cloud(&url, location, options).map_err(failed)?;
        Ok(Place { location: shown, store: Arc::new(PrefixStore::new(store, prefix)), directory: None })
    }

    /// The name of an object in messages.
    pub(super) fn shown(&self, path: &Path) -> String {
        format!("{}/{path}", self.location.trim_end_matches('/'))
    }

    pub(super) fn failed(&self, path: &Path, source: object_store::Error) -> Error {
        Error::Object { path: self.shown(path), source }
    }

    /// The bytes of an object; `None` if it does not exist.
    pub(super) async fn get(&self, path: &Path, most: u64) -> Result<Option<Bytes>> {
        let read = async {
            let result = self.store.get(path).await?;
            let size = result.meta.size;
            Ok(if size > most { Err(size) } else { Ok(result.bytes().await?) })
        };
        match read.await {
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(size)) => {
                let why = format!("{size} bytes, more than the limit of {most}");
                Err(Error::Archive { path: self.shown(path), why })
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// Writes an object. It replaces the one of that name.
    pub(super) async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        self.store.put(path, bytes.into()).await.map(drop).map_err(|error| self.failed(path, error))
    }

    /// Writes an object unless there is one of that name; returns whether it did.
    pub(super) async fn create(&self, path: &Path, bytes: Bytes) -> Result<bool> {
        match self.store.put_opts(path, bytes.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    pub(super) async fn list(&self, path: &Path) -> Result<Vec<ObjectMeta>> {
        self.store.list(Some(path)).try_collect().await.map_err(|error| self.failed(path, error))
    }

    /// Deletes an object, if it exists.
    pub(super) async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(path, error)),
        }
    }

    /// Removes the files that killed processes left behind in a local archive.
    pub(super) fn remove_staged(&self) {
        let Some(directory) = &self.directory else { return };
        for entry in fs::read_dir(directory.join(STAGED)).into_iter().flatten().flatten() {
            // A file that is being written is locked. The lock is held until the file is removed, so its writer notices.
            // Best effort: the next clean-up tries again.
            if let Ok(file) = fs::File::open(entry.path())
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn is_url(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A name as the name of a directory: bytes other than letters, digits, `_`, `-` and `.` are `@` and two digits.
pub(super) fn as_directory(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'_' | b'.' if at == 0 => text.push_str(&format!("@{byte:02x}")),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => text.push(char::from(byte)),
            _ => text.push_str(&format!("@{byte:02x}")),
        }
    }
    text
}

/// The name that a directory stands for; `None` for other directories.
pub(super) fn of_directory(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(u8::from_str_radix(rest.get(at + 1..at + 3)?, 16).ok()?);
        rest = &rest[at + 3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok().filter(|name| as_directory(name) == text)
}

/// A local directory whose files are durable when they are written, and their owner's alone.
///
/// [`LocalFileSystem`] neither synchronizes files nor sets their modes, so this writes them itself.
#[derive(Debug)]
struct Folder {
    root: PathBuf,
    files: std::sync::OnceLock<LocalFileSystem>,
}

impl Folder {
    fn new(root: PathBuf) -> Result<Self, String> {
        let root = std::path::absolute(&root).map_err(|error| error.to_string())?;
        if root.exists() && !root.is_dir() {
            return Err("not a directory".to_owned());
        }
        Ok(Folder { root, files: std::sync::OnceLock::new() })
    }

    /// The files; `None` if the directory does not exist.
    fn files(&self) -> object_store::Result<Option<&LocalFileSystem>> {
        if self.files.get().is_none() {
            if !self.root.is_dir() {
                return Ok(None);
            }
            let _ = self.files.set(LocalFileSystem::new_with_prefix(&self.root)?);
        }
        Ok(self.files.get())
    }

    fn existing(&self, location: &Path) -> object_store::Result<&LocalFileSystem> {
        self.files()?.ok_or_else(|| object_store::Error::NotFound {
            path: location.to_string(),
            source: io::Error::from(ErrorKind::NotFound).into(),
        })
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let root = self.root.clone();
        let path = location.parts().fold(root.clone(), |path, part| path.join(part.as_ref()));
        let work = move || write(&root, &path, &payload, options.mode == PutMode::Create);
        let written = tokio::task::spawn_blocking(work).await;
        let written = written.map_err(|source| object_store::Error::JoinError { source })?;
        match written {
            Ok(()) => Ok(PutResult { e_tag: None, version: None }),
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {
                Err(object_store::Error::AlreadyExists { path: location.to_string(), source: source.into() })
            }
            Err(source) => Err(object_store::Error::Generic { store: "local", source: source.into() }),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.existing(location)?.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.existing(location)?.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> object_store::Result<Vec<Bytes>> {
        self.existing(location)?.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        match self.files() {
            Ok(Some(files)) => files.delete_stream(locations),
            Ok(None) => locations,
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match self.files() {
            Ok(Some(files)) => files.list(prefix),
            Ok(None) => stream::empty().boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let exists = |path: &Path| path.parts().fold(self.root.clone(), |path, part| path.join(part.as_ref())).is_dir();
        match self.files()? {
            Some(files) if prefix.is_none_or(exists) => files.list_with_delimiter(prefix).await,
            _ => Ok(ListResult { common_prefixes: Vec::new(), objects: Vec::new() }),
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.existing(from)?.copy_opts(from, to, options).await
    }
}

/// Writes a file completely, or not at all. It is on disk with its name when this returns.
fn write(root: &FilePath, path: &FilePath, payload: &PutPayload, is_new: bool) -> io::Result<()> {
    let create = |folder: &FilePath| fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let folder = path.parent().unwrap_or(root);
    if !folder.is_dir() {
        create(folder)?;
        // The names of the new directories, the archive's own included.
        let parents = folder.ancestors().skip(1).take_while(|parent| Some(*parent) != root.parent());
        parents.chain(root.parent()).try_for_each(synchronize)?;
    }
    let staged = root.join(STAGED);
    create(&staged)?;
    let (staged, mut file) = stage(&staged)?;
    payload.iter().try_for_each(|bytes| file.write_all(bytes))?;
    file.sync_all()?;
    match is_new {
        true => fs::hard_link(&staged.0, path)?,
        false => fs::rename(&staged.0, path)?,
    }
    drop(file);
    synchronize(folder)
}

/// A new file, locked. A file without a lock is of a process that was killed; see `Place::remove_staged`, which may remove
/// this one before it is locked.
fn stage(folder: &FilePath) -> io::Result<(Staged, fs::File)> {
    loop {
        let staged = Staged(folder.join(format!("{:016x}", rand::random::<u64>())));
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged.0)?;
        file.lock()?;
        if staged.0.try_exists()? {
            return Ok((staged, file));
        }
    }
}

fn synchronize(folder: &FilePath) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// A file without its name yet. On drop, it is removed.
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // It has its name, or an error was returned. What is left is removed later.
        let _ = fs::remove_file(&self.0);
    }
}
