//! The AWS tables on a moto server: several accounts, real signatures and policies, and faulty endpoints.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_engine::{Engine, Limits, Outcome, Warning};
use indago_tables_registry::{Aws, AwsSettings, Environments, all, functions};
use indago_testkit::beds::{Effect, Fault, Moto, MotoOptions, Rule};

use crate::cli::indago;

const ESTATE: &str = include_str!("fixtures/aws/estate.py");

/// moto with the estate, a proxy in front of it, and a profile file that uses the proxy.
pub(crate) struct Bed {
    moto: Moto,
    proxy: Fault,
    folder: tempfile::TempDir,
}

impl Bed {
    pub(crate) fn start() -> Bed {
        let moto = Moto::start().expect("moto");
        moto.seed(ESTATE).expect("the estate fits");
        let proxy = Fault::http(moto.url()).expect("a proxy");
        let folder = tempfile::tempdir().expect("a folder");
        let bed = Bed { moto, proxy, folder };
        bed.write_profiles(&bed.proxy.url());
        bed
    }

    /// Profiles of users with their keys, of roles that they assume, and one without either.
    fn write_profiles(&self, endpoint: &str) {
        let mut text = String::new();
        for user in ["default", "readonly", "nobody", "badsecret", "unknownkey"] {
            let (id, secret) = self.moto.key(user).expect("a key");
            text += &format!(
                "[profile {user}]\nregion = us-east-1\nendpoint_url = {endpoint}\naws_access_key_id = {id}\n\
                 aws_secret_access_key = {secret}\n"
            );
        }
        for (role, account, source) in [
            ("prod", "222222222222", "default"),
            ("staging", "333333333333", "default"),
            ("forbidden", "222222222222", "nobody"),
        ] {
            text += &format!(
                "[profile {role}]\nregion = us-east-1\nendpoint_url = {endpoint}\n\
                 role_arn = arn:aws:iam::{account}:role/indago\nsource_profile = {source}\n"
            );
        }
        text += "[profile empty]\nregion = us-east-1\n";
        std::fs::write(self.config(), text).expect("written");
    }

    pub(crate) fn moto(&self) -> &Moto {
        &self.moto
    }

    /// Adds a profile of a role that `default` assumes.
    pub(crate) fn add_role(&self, profile: &str, role: &str) {
        let text = format!(
            "[profile {profile}]\nregion = us-east-1\nendpoint_url = {}\nrole_arn = {role}\nsource_profile = default\n",
            self.proxy.url()
        );
        let known = std::fs::read_to_string(self.config()).expect("the profiles");
        std::fs::write(self.config(), known + &text).expect("written");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub(crate) async fn engine(&self, profiles: &[&str], regions: &[&str]) -> Engine {
        let limits =
            Limits { retry_base: Duration::from_millis(5), call_timeout: Duration::from_secs(5), ..Limits::default() };
        self.limited(profiles, regions, limits).await
    }

    async fn limited(&self, profiles: &[&str], regions: &[&str], limits: Limits) -> Engine {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let settings = AwsSettings {
            profiles: texts(profiles),
            regions: texts(regions),
            config_file: Some(self.config()),
            ..AwsSettings::default()
        };
        let environments = Environments { aws: Some(Aws::new(&settings)), ..Environments::default() };
        let (tables, functions) = (all(&environments), functions(&environments));
        Engine::builder().tables(tables).functions(functions).limits(limits).build().await.expect("an engine")
    }

    /// The actions of a query's calls, in order.
    async fn actions(&self, engine: &Engine, sql: &str) -> Vec<String> {
        self.proxy.clear_requests();
        rows(engine, sql).await;
        self.asked()
    }

    /// The actions of the calls through the proxy, in order.
    fn asked(&self) -> Vec<String> {
        let action = |body: &str| body.split('&').find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned));
        self.proxy.requests().iter().map(|request| action(&request.body).unwrap_or_default()).collect()
    }
}

type Answer = (Vec<Vec<String>>, Vec<Warning>);

async fn ask(engine: &Engine, sql: &str) -> Result<Answer, indago_engine::Error> {
    let query = engine.query(sql).await?;
    let batches = query.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).expect("a column"));
        let columns: Vec<_> = columns.collect();
        for row in 0..batch.num_rows() {
            rows.push(columns.iter().map(|column| column.value(row).to_string()).collect());
        }
    }
    Ok((rows, query.warnings()))
}

/// Rows, their columns separated by blanks, sorted, and the warnings.
async fn partly(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
    let (rows, warnings) = ask(engine, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows: Vec<String> = rows.into_iter().map(|row| row.join(" ")).collect();
    rows.sort();
    (rows, warnings)
}

/// Rows of a query that must have no warnings.
async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = partly(engine, sql).await;
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    rows
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

#[test]
fn a_query_makes_the_calls_that_it_needs_and_no_others() {
    let bed = Bed::start();
    let (lists_instances, learns) = ("DescribeInstances", "GetCallerIdentity");
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &["us-east-1", "eu-west-1"]).await;
        for (sql, expected) in [
            ("SELECT name FROM aws_iam_user", &["ListUsers"][..]),
            ("SELECT name, account_id FROM aws_iam_user", &[learns, "ListUsers"]),
            ("SELECT name, create_date, path FROM aws_iam_role WHERE name = 'web'", &["GetRole"]),
            ("SELECT name, tags FROM aws_iam_role WHERE name = 'web'", &["GetRole"]),
            (
                "SELECT name FROM aws_iam_role WHERE arn = 'arn:aws:iam::123456789012:role/app/web'",
                &[learns, "GetRole"],
            ),
            ("SELECT name FROM aws_iam_role WHERE arn = 'arn:aws:iam::222222222222:role/app/web'", &[learns]),
            ("SELECT name FROM aws_iam_role WHERE region = 'us-east-1'", &[]),
            ("SELECT name FROM aws_iam_user WHERE name = 'not a name'", &[]),
            (
                "SELECT attached_policy_arns FROM aws_iam_role WHERE name = 'web'",
                &["GetRole", "ListAttachedRolePolicies"],
            ),
            (
                "SELECT attached_policy_arns, inline_policies, tags, instance_profile_arns FROM aws_iam_role",
                &["ListRoles", "GetAccountAuthorizationDetails"],
            ),
            (
                "SELECT groups, attached_policy_arns, inline_policies, tags FROM aws_iam_user",
                &["ListUsers", "GetAccountAuthorizationDetails"],
            ),
            (
                "SELECT policy FROM aws_iam_policy WHERE NOT is_aws_managed",
                &["ListPolicies", "GetAccountAuthorizationDetails"],
            ),
            ("SELECT instance_id FROM aws_ec2_instance", &[lists_instances, lists_instances]),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region = 'eu-west-1'", &[lists_instances]),
            (
                "SELECT instance_id FROM aws_ec2_instance WHERE region = 'eu-west-2'",
                &["DescribeRegions", lists_instances],
            ),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region <> 'us-east-1'", &[lists_instances]),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region LIKE 'ap-%'", &[]),
            ("SELECT instance_id FROM aws_ec2_instance WHERE profile <> 'default'", &[]),
            ("SELECT account_id FROM aws_sts_caller_identity", &[learns]),
            ("SELECT arn FROM aws_account", &[learns]),
        ] {
            let mut actions = bed.actions(&engine, sql).await;
            let mut expected: Vec<_> = expected.to_vec();
            // Regions and details run concurrently.
            actions.sort();
            expected.sort_unstable();
            assert_eq!(actions, expected, "{sql}");
        }
        let sql =
            "SELECT instance_status FROM aws_ec2_instance WHERE region = 'us-east-1' AND instance_status IS NOT NULL";
        assert_eq!(bed.actions(&engine, sql).await, ["DescribeInstances", "DescribeInstanceStatus"]);
        // One call returns many instances, even if the query wants only some of the region.
        let sql = "SELECT count(instance_status) FROM aws_ec2_instance WHERE region = 'us-east-1' \
                   AND instance_state IN ('running', 'stopped', 'terminated')";
        assert_eq!(rows(&engine, sql).await, ["3"]);
        assert_eq!(bed.actions(&engine, sql).await, ["DescribeInstances", "DescribeInstanceStatus"]);
    });
}

#[test]
fn several_accounts_and_regions_are_read_together() {
    let bed = Bed::start();
    runtime().block_on(async {
        let engine = bed.engine(&["default", "prod", "staging"], &["us-east-*", "eu-west-1"]).await;
        let sql = "SELECT profile, account_id, name FROM aws_iam_role";
        let expected = ["default 123456789012 web", "prod 222222222222 indago", "staging 333333333333 indago"];
        assert_eq!(rows(&engine, sql).await, expected);
        assert_eq!(rows(&engine, &format!("{sql} WHERE account_id = '333333333333'")).await, expected[2..]);
        let sql = "SELECT profile, region, count(*) FROM aws_ec2_instance GROUP BY profile, region";
        assert_eq!(rows(&engine, sql).await, ["default eu-west-1 2", "default us-east-1 3"]);
        // A named region is read without listing the regions.
        let sql = "SELECT count(*) FROM aws_ec2_instance WHERE region = 'eu-west-1'";
        assert!(!bed.actions(&engine, sql).await.contains(&"DescribeRegions".to_owned()));
    });
}

#[test]
fn what_a_query_names_is_read_or_said_to_be_missing() {
    let bed = Bed::start();
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        // The profile's own region is us-east-1.
        let sql = "SELECT count(*) FROM aws_ec2_instance WHERE region IN ('eu-west-1', 'us-east-1')";
        assert_eq!(rows(&engine, sql).await, ["5"]);
        // moto takes seconds for the first call in each region.
        bed.proxy.rule(two_regions());
        let of_join = "SELECT count(*) FROM aws_region r JOIN aws_ec2_instance i ON i.region = r.name";
        assert_eq!(rows(&engine, of_join).await, ["5"]);
        for (condition, told) in [
            (
                "region = 'eu-west-9'",
                "(region=eu-west-9): profile default: its account has no region eu-west-9 enabled;",
            ),
            ("region = 'Ireland'", "(region=Ireland): `Ireland` is not a region: regions have names such as us-east-1"),
            ("region = 'EU-West-1'", "(region=EU-West-1): `EU-West-1` is not a region: did you mean `eu-west-1`?"),
            ("profile = 'nope'", "(profile=nope): no profile `nope` is configured; there are: default"),
            (
                "account_id = '222222222222'",
                "(account_id=222222222222): no profile belongs to account 222222222222; \
                 there are: 123456789012 (profile default)",
            ),
        ] {
            let (found, warnings) =
                partly(&engine, &format!("SELECT region FROM aws_ec2_instance WHERE {condition}")).await;
            assert!(found.is_empty(), "{condition}: {found:?}");
            let [warning] = warnings.as_slice() else { panic!("{condition}: {warnings:?}") };
            assert!(warning.to_string().starts_with(&format!("aws_ec2_instance {told}")), "{warning}");
            assert_eq!(warning.outcome, Outcome::Unsupported, "{warning}");
        }
        let engine = bed.engine(&["default", "prod"], &[]).await;
        assert_eq!(rows(&engine, "SELECT name FROM aws_iam_role WHERE account_id = '222222222222'").await, ["indago"]);
        // All bytes read from AWS count.
        rows(&engine, "SELECT name FROM aws_iam_user").await;
        let bytes =
            rows(&engine, "SELECT bytes FROM engine_scans WHERE table_name = 'aws_iam_user' AND bytes > 1000").await;
        assert_eq!(bytes.len(), 1, "{bytes:?}");
    });
}

#[test]
fn refused_credentials_and_missing_permissions_say_what_is_missing() {
    let bed = Bed::start();
    bed.moto.enforce_auth().expect("moto checks signatures");
    runtime().block_on(async {
        let all = ["default", "prod", "readonly", "nobody", "badsecret", "unknownkey", "forbidden", "empty"];
        let engine = bed.engine(&all, &[]).await;
        let sql = "SELECT profile FROM aws_sts_caller_identity";
        let (answered, warnings) = partly(&engine, sql).await;
        assert_eq!(answered, ["default", "nobody", "prod", "readonly"]);
        let about = |profile: &str| {
            let mut found = warnings.iter().filter(|warning| warning.message.contains(&format!("as {profile}/")));
            found.next().unwrap_or_else(|| panic!("{profile} in {warnings:?}"))
        };
        assert!(about("badsecret").message.contains("does not accept the credentials"));
        assert!(about("unknownkey").message.contains("does not accept the credentials"));
        assert_eq!(about("forbidden").needs.as_deref(), Some("sts:AssumeRole"));
        assert_eq!(about("empty").outcome, Outcome::Unsupported);
        assert!(about("empty").message.contains("aws configure"), "{}", about("empty"));

        let engine = bed.engine(&["readonly", "nobody"], &["us-east-1"]).await;
        let (instances, warnings) = partly(&engine, "SELECT profile FROM aws_ec2_instance").await;
        assert_eq!(instances, ["readonly"; 3]);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].needs.as_deref(), Some("ec2:DescribeInstances"));
        assert_eq!(warnings[0].outcome, Outcome::Denied);
        // Without configured regions, the list of regions is denied first.
        let engine = bed.engine(&["nobody"], &[]).await;
        let (_, warnings) = partly(&engine, "SELECT profile FROM aws_ec2_instance").await;
        let mut needs: Vec<_> = warnings.iter().map(|warning| (warning.needs.as_deref(), warning.outcome)).collect();
        needs.sort_by_key(|(permission, _)| *permission);
        let denied = |permission| (Some(permission), Outcome::Denied);
        assert_eq!(needs, [denied("ec2:DescribeInstances"), denied("ec2:DescribeRegions")]);
    });
    // A user that may only list users gets users, and a warning for each missing column.
    let policy = "import boto3, json\nboto3.client('iam').put_user_policy(UserName='nobody', PolicyName='list', \
                  PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', \
                  'Action': 'iam:ListUsers', 'Resource': '*'}}))";
    bed.moto.seed(policy).expect("a policy");
    runtime().block_on(async {
        let engine = bed.engine(&["nobody"], &[]).await;
        let (users, warnings) = partly(&engine, "SELECT name, mfa_enabled, groups FROM aws_iam_user").await;
        assert_eq!(users, ["admin NULL NULL", "alice NULL NULL", "nobody NULL NULL", "readonly NULL NULL"]);
        let mut needs: Vec<_> = warnings.iter().map(|warning| (warning.needs.as_deref(), warning.count)).collect();
        needs.sort_unstable();
        assert_eq!(needs, [(Some("iam:ListGroupsForUser"), 4), (Some("iam:ListMFADevices"), 4)]);
    });
}

/// A ListUsers response of IAM.
fn page(name: &str, marker: Option<&str>) -> Effect {
    let next = marker.map(|marker| format!("<Marker>{marker}</Marker>")).unwrap_or_default();
    let body = format!(
        "<ListUsersResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ListUsersResult>\
         <IsTruncated>{}</IsTruncated>{next}<Users><member><UserId>U</UserId><Path>/</Path><UserName>{name}</UserName>\
         <Arn>arn:aws:iam::123456789012:user/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></member></Users>\
         </ListUsersResult></ListUsersResponse>",
        marker.is_some()
    );
    Effect::Status { code: 200, headers: vec![("content-type".into(), "text/xml".into())], body }
}

#[test]
fn pages_are_fetched_as_long_as_rows_are_wanted() {
    let bed = Bed::start();
    let users = |name: &str, next: Option<&str>| Rule::new(page(name, next)).body("Action=ListUsers");
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        bed.proxy.rule(users("c", None).body("Marker=two")).rule(users("b", Some("two")).body("Marker=one"));
        bed.proxy.rule(users("a", Some("one")));
        assert_eq!(rows(&engine, "SELECT name FROM aws_iam_user").await, ["a", "b", "c"]);
        assert_eq!(bed.actions(&engine, "SELECT name FROM aws_iam_user LIMIT 1").await, ["ListUsers"]);
        // One list for a query that reads the table twice.
        let sql = "SELECT a.name FROM aws_iam_user a JOIN aws_iam_user b ON b.path = a.path AND b.arn = a.arn";
        assert!(bed.actions(&engine, sql).await.len() <= 7, "each page at most once, and the account");

        // A throttled page is retried; those before it are not.
        bed.proxy.clear_rules();
        bed.proxy.rule(Rule::new(Effect::aws_throttling()).body("Marker=one").first(2));
        bed.proxy.rule(users("b", None).body("Marker=one")).rule(users("a", Some("one")));
        assert_eq!(bed.actions(&engine, "SELECT name FROM aws_iam_user").await.len(), 4);

        // The same page again and again ends the list, too.
        bed.proxy.clear_rules();
        bed.proxy.rule(users("a", Some("one")));
        let (names, warnings) = partly(&engine, "SELECT name FROM aws_iam_user").await;
        assert_eq!(names, ["a", "a"]);
        assert_eq!(warnings[0].outcome, Outcome::Malformed, "{warnings:?}");
    });
}

#[test]
fn endpoints_that_misbehave_are_warnings_and_the_others_still_answer() {
    let bed = Bed::start();
    let html = "<!doctype html>\n<html lang=en><title>500 Internal Server Error</title></html>";
    let web_page =
        Effect::Status { code: 500, headers: vec![("content-type".into(), "text/html".into())], body: html.into() };
    let sql = "SELECT region, count(*) FROM aws_ec2_instance GROUP BY region";
    runtime().block_on(async {
        let limits = Limits {
            retries: 2,
            retry_base: Duration::from_millis(5),
            call_timeout: Duration::from_secs(2),
            ..Limits::default()
        };
        let engine = bed.limited(&["default"], &["us-east-1", "eu-west-1"], limits).await;
        rows(&engine, sql).await;
        for (effect, outcome, text) in [
            (Effect::ec2_error(503, "RequestLimitExceeded", "Slow down."), Outcome::Io, "throttled"),
            (Effect::too_many_requests(0), Outcome::Io, "throttled"),
            (Effect::ec2_error(500, "InternalError", "Broken."), Outcome::Io, "Broken."),
            (Effect::status(503), Outcome::Io, "503"),
            (Effect::Hang, Outcome::Io, "no response within"),
            (Effect::Reset, Outcome::Io, "ec2:DescribeInstances"),
            (web_page, Outcome::Malformed, "web page"),
            (Effect::Garbage(b"\xff\xfe{]".to_vec()), Outcome::Malformed, "ec2:DescribeInstances"),
            (Effect::ec2_error(400, "RequestExpired", "Request has expired."), Outcome::Denied, "sign in again"),
            (Effect::ec2_error(403, "UnauthorizedOperation", "No."), Outcome::Denied, "permission denied"),
            (Effect::ec2_error(401, "AuthFailure", "No."), Outcome::Denied, "does not accept"),
            (Effect::ec2_error(400, "OptInRequired", "Not subscribed."), Outcome::Unsupported, "Not subscribed"),
        ] {
            bed.proxy.clear_rules();
            let what = format!("{effect:?}");
            bed.proxy.rule(Rule::new(effect).body("Action=DescribeInstances"));
            let (found, warnings) = partly(&engine, sql).await;
            assert!(found.is_empty(), "{what}: {found:?}");
            let groups = partly(&engine, "SELECT count(*) FROM aws_vpc_security_group WHERE group_name = 'web'").await;
            assert_eq!(groups, (vec!["2".to_owned()], vec![]), "{what}");
            assert_eq!(warnings.len(), 2, "one for each region: {what}: {warnings:?}");
            assert_eq!(warnings[0].outcome, outcome, "{what}: {warnings:?}");
            assert!(warnings[0].message.contains(text), "{what}: {}", warnings[0].message);
        }
        // Temporary failures are retried without a warning.
        for effect in [
            Effect::ec2_error(503, "RequestLimitExceeded", "Slow down."),
            Effect::too_many_requests(0),
            Effect::status(502),
            Effect::Reset,
        ] {
            bed.proxy.clear_rules();
            bed.proxy.rule(Rule::new(effect).body("Action=DescribeInstances").first(2));
            assert_eq!(rows(&engine, sql).await, ["eu-west-1 2", "us-east-1 3"]);
        }
        // A truncated response is a failure, not a shorter list.
        bed.proxy.clear_rules();
        bed.proxy.rule(Rule::new(Effect::Truncate(900)).body("Action=DescribeInstances"));
        let (found, warnings) = partly(&engine, sql).await;
        assert!(found.is_empty() && warnings.len() == 2, "{found:?} {warnings:?}");
    });
    // Connection refused.
    bed.write_profiles("http://127.0.0.1:9");
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        let (found, warnings) = partly(&engine, "SELECT name FROM aws_iam_user").await;
        assert!(found.is_empty());
        assert!(warnings[0].message.contains("refused"), "{warnings:?}");
    });
}

/// A DescribeRegions response of EC2: names, and whether the account has enabled them.
fn regions(all: &[(&str, &str)]) -> Effect {
    let item = |(name, status): &(&str, &str)| {
        format!(
            "<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>\
             <optInStatus>{status}</optInStatus></item>"
        )
    };
    let items: String = all.iter().map(item).collect();
    let body = format!(
        "<DescribeRegionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>x</requestId>\
         <regionInfo>{items}</regionInfo></DescribeRegionsResponse>"
    );
    Effect::Status { code: 200, headers: vec![("content-type".into(), "text/xml".into())], body }
}

fn two_regions() -> Rule {
    let both = regions(&[("us-east-1", "opt-in-not-required"), ("eu-west-1", "opt-in-not-required")]);
    Rule::new(both).body("Action=DescribeRegions")
}

fn count(actions: &[String], action: &str) -> usize {
    actions.iter().filter(|asked| *asked == action).count()
}

#[test]
fn without_configuration_all_regions_that_the_account_has_are_read() {
    let bed = Bed::start();
    let listed = regions(&[
        ("us-east-1", "opt-in-not-required"),
        ("eu-west-1", "opted-in"),
        ("af-south-1", "not-opted-in"),
        ("../evil", "opted-in"),
    ]);
    bed.proxy.rule(Rule::new(listed).body("Action=DescribeRegions"));
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        let sql = "SELECT region, count(*) FROM aws_ec2_instance GROUP BY region";
        assert_eq!(rows(&engine, sql).await, ["eu-west-1 2", "us-east-1 3"]);
        // The list of regions is read once, however many tables and conditions there are.
        for (sql, lists, calls) in [
            (sql, 1, 2),
            ("SELECT g.group_id FROM aws_vpc_security_group g JOIN aws_ec2_instance i ON i.vpc_id = g.vpc_id", 1, 2),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region = 'us-east-1'", 0, 1),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region IN ('us-east-1', 'eu-west-1')", 1, 2),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region LIKE 'eu-%'", 1, 1),
            ("SELECT instance_id FROM aws_ec2_instance WHERE region <> 'us-east-1'", 1, 1),
            ("SELECT name FROM aws_iam_user", 0, 0),
        ] {
            let actions = bed.actions(&engine, sql).await;
            let found = (count(&actions, "DescribeRegions"), count(&actions, "DescribeInstances"));
            assert_eq!(found, (lists, calls), "{sql}: {actions:?}");
        }
        // A region that the account has not enabled is not called, and the query that names it has a warning.
        bed.proxy.clear_requests();
        let sql = "SELECT instance_id FROM aws_ec2_instance WHERE region IN ('af-south-1', 'us-east-1')";
        let (found, warnings) = partly(&engine, sql).await;
        assert_eq!((found.len(), warnings.len()), (3, 1), "{warnings:?}");
        assert!(warnings[0].message.contains("has no region af-south-1 enabled"), "{warnings:?}");
        assert_eq!(count(&bed.asked(), "DescribeInstances"), 1);
        let sql = "SELECT name, steampipe_available FROM aws_region";
        let available = ["af-south-1 false", "eu-west-1 true", "us-east-1 true"];
        bed.proxy.clear_rules();
        let all = rows(&engine, sql).await;
        assert!(all.contains(&available[1].to_owned()) && all.contains(&available[2].to_owned()), "{all:?}");
    });
}

#[test]
fn who_may_not_list_regions_hears_which_were_not_asked() {
    let bed = Bed::start();
    let denied = Effect::ec2_error(403, "UnauthorizedOperation", "You are not authorized to perform this operation.");
    bed.proxy.rule(Rule::new(denied).body("Action=DescribeRegions"));
    let sql = "SELECT instance_id FROM aws_ec2_instance";
    runtime().block_on(async {
        for patterns in [&[][..], &["*"], &["us-*"]] {
            let engine = bed.engine(&["default"], patterns).await;
            let (found, warnings) = partly(&engine, sql).await;
            assert_eq!((found.len(), warnings.len()), (3, 1), "{patterns:?} {warnings:?}");
            assert_eq!(warnings[0].needs.as_deref(), Some("ec2:DescribeRegions"));
            let message = &warnings[0].message;
            assert!(message.contains("only us-east-1, the region of the profile, was read"), "{message}");
            assert!(message.contains("other regions of the account were not read"), "{message}");
            assert_eq!(rows(&engine, &format!("{sql} WHERE region = 'eu-west-1'")).await.len(), 2);
        }
        let engine = bed.engine(&["default"], &["eu-*"]).await;
        let (found, warnings) = partly(&engine, sql).await;
        assert_eq!((found.len(), warnings.len()), (0, 1), "{warnings:?}");

        // Any other failure must not reduce the regions silently.
        for effect in [
            Effect::ec2_error(503, "RequestLimitExceeded", "Slow down."),
            Effect::ec2_error(401, "AuthFailure", "No."),
            Effect::Garbage(b"{}".to_vec()),
            regions(&[]),
        ] {
            bed.proxy.clear_rules();
            bed.proxy.clear_requests();
            let what = format!("{effect:?}");
            bed.proxy.rule(Rule::new(effect).body("Action=DescribeRegions"));
            let engine = bed.engine(&["default"], &[]).await;
            let (found, warnings) = partly(&engine, sql).await;
            assert_eq!((found.len(), warnings.len()), (0, 1), "{what}: {warnings:?}");
            assert!(warnings[0].message.contains("ec2:DescribeRegions"), "{what}: {warnings:?}");
            assert_eq!(count(&bed.asked(), "DescribeInstances"), 0, "{what}");
        }
    });
}

#[test]
fn a_profile_without_a_region_is_read_in_all_regions() {
    let bed = Bed::start();
    let text = std::fs::read_to_string(bed.config()).expect("it was written");
    std::fs::write(bed.config(), text.replace("region = us-east-1\n", "region =\n")).expect("written");
    let sql = "SELECT region, count(*) FROM aws_ec2_instance GROUP BY region";
    bed.proxy.rule(two_regions());
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        assert_eq!(rows(&engine, sql).await, ["eu-west-1 2", "us-east-1 3"]);
        bed.proxy.clear_rules();
        let denied = Effect::ec2_error(403, "UnauthorizedOperation", "No.");
        bed.proxy.rule(Rule::new(denied).body("Action=DescribeRegions"));
        let (found, warnings) = partly(&engine, sql).await;
        assert!(found.is_empty() && warnings.len() == 1, "{found:?} {warnings:?}");
        assert!(warnings[0].message.contains("the profile has no region"), "{warnings:?}");
    });
}

#[test]
fn a_listing_that_fails_starts_no_calls_for_each_principal() {
    let bed = Bed::start();
    let all = [
        (
            "SELECT name, attached_policy_arns, inline_policies, tags, instance_profile_arns FROM aws_iam_role",
            "ListRoles",
        ),
        ("SELECT name, attached_policy_arns, inline_policies, tags, groups FROM aws_iam_user", "ListUsers"),
        ("SELECT name, policy FROM aws_iam_policy WHERE NOT is_aws_managed", "ListPolicies"),
        ("SELECT policy_arn, policy_users FROM aws_iam_policy_attachment WHERE is_attached", "ListPolicies"),
    ];
    let html = |code, text: &str| Effect::Status {
        code,
        headers: vec![("content-type".into(), "text/html".into())],
        body: format!("<!doctype html><title>{text}</title>"),
    };
    let listing = "GetAccountAuthorizationDetails";
    runtime().block_on(async {
        let limits = Limits {
            retries: 1,
            retry_base: Duration::from_millis(5),
            call_timeout: Duration::from_millis(300),
            ..Limits::default()
        };
        let engine = bed.limited(&["default"], &["us-east-1"], limits).await;
        for (effect, outcome) in [
            (Effect::aws_throttling(), Outcome::Io),
            (Effect::status(503), Outcome::Io),
            (Effect::Hang, Outcome::Io),
            (Effect::Reset, Outcome::Io),
            (Effect::Truncate(200), Outcome::Io),
            (Effect::Garbage(b"<a>".to_vec()), Outcome::Io),
            (html(500, "Internal Server Error"), Outcome::Malformed),
            (html(404, "Not Found"), Outcome::Malformed),
            (Effect::aws_error(400, "InvalidAction", "Could not find operation"), Outcome::Unsupported),
            (Effect::aws_error(403, "ExpiredToken", "The token is expired."), Outcome::Denied),
        ] {
            bed.proxy.clear_rules();
            let what = format!("{effect:?}");
            bed.proxy.rule(Rule::new(effect).body(&format!("Action={listing}")));
            for (sql, lists) in all {
                bed.proxy.clear_requests();
                let (found, warnings) = partly(&engine, sql).await;
                assert!(!found.is_empty(), "{what}: {sql}");
                assert!(warnings.iter().all(|warning| warning.outcome == outcome), "{what}: {warnings:?}");
                assert!(warnings.iter().any(|warning| warning.message.contains(listing)), "{what}: {warnings:?}");
                let others: Vec<_> =
                    bed.asked().into_iter().filter(|action| action != lists && action != listing).collect();
                assert!(others.is_empty(), "{what}: {sql}: {others:?}");
            }
        }
        // If the request for all is denied, each is requested.
        bed.proxy.clear_rules();
        bed.proxy.rule(Rule::new(Effect::aws_error(403, "AccessDenied", "No.")).body(&format!("Action={listing}")));
        for (sql, _) in all {
            rows(&engine, sql).await;
        }
    });
}

#[test]
fn what_will_not_get_better_is_asked_once() {
    let bed = Bed::start();
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        for code in [
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "AccessDenied",
            "RequestExpired",
            "IncompleteSignature",
            "InvalidAction",
            "OptInRequired",
        ] {
            bed.proxy.clear_rules();
            bed.proxy.clear_requests();
            bed.proxy.rule(Rule::new(Effect::aws_error(403, code, "No.")));
            let (_, warnings) = partly(&engine, "SELECT name FROM aws_iam_user").await;
            assert_eq!((bed.asked().len(), warnings.len()), (1, 1), "{code}: {warnings:?}");
        }
    });
}

#[test]
fn policies_and_times_are_read_in_every_form() {
    let bed = Bed::start();
    let encoded = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22\
                   %3A%22sts%3AAssumeRole%22%2C%22Principal%22%3A%7B%22AWS%22%3A%22arn%3Aaws%3Aiam%3A%3A1%3Aroot%22%7D%7D%5D%7D";
    let plain = r#"{&quot;Version&quot;:&quot;2012-10-17&quot;,&quot;Statement&quot;:[{&quot;Effect&quot;:&quot;Allow&quot;,&quot;Action&quot;:&quot;sts:AssumeRole&quot;,&quot;Principal&quot;:{&quot;AWS&quot;:&quot;arn:aws:iam::1:root&quot;}}]}"#;
    let role = |document: &str| {
        format!(
            "<Path>/</Path><RoleName>r</RoleName><RoleId>R</RoleId><Arn>arn:aws:iam::1:role/r</Arn>\
             <CreateDate>2026-01-31T12:00:00.123456Z</CreateDate>\
             <AssumeRolePolicyDocument>{document}</AssumeRolePolicyDocument>"
        )
    };
    let answer = |action: &str, inside: String| Effect::Status {
        code: 200,
        headers: vec![("content-type".into(), "text/xml".into())],
        body: format!(
            "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result>{inside}\
             </{action}Result></{action}Response>"
        ),
    };
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        for document in [encoded, plain] {
            bed.proxy.clear_rules();
            let listed = format!("<IsTruncated>false</IsTruncated><Roles><member>{}</member></Roles>", role(document));
            bed.proxy.rule(Rule::new(answer("ListRoles", listed)).body("Action=ListRoles"));
            bed.proxy.rule(Rule::new(answer("GetRole", format!("<Role>{}</Role>", role(document)))).body("Action=GetRole"));
            let detail = format!(
                "<IsTruncated>false</IsTruncated><RoleDetailList><member>{}<RolePolicyList><member><PolicyName>p</PolicyName>\
                 <PolicyDocument>{document}</PolicyDocument></member></RolePolicyList></member></RoleDetailList>",
                role(document)
            );
            let action = "GetAccountAuthorizationDetails";
            bed.proxy.rule(Rule::new(answer(action, detail)).body(&format!("Action={action}")));
            for condition in ["", " WHERE name = 'r'"] {
                let sql = format!("SELECT create_date, assume_role_policy_std FROM aws_iam_role{condition}");
                let std = r#"{"Statement":[{"Action":["sts:assumerole"],"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::1:root"]}}],"Version":"2012-10-17"}"#;
                assert_eq!(rows(&engine, &sql).await, [format!("2026-01-31T12:00:00.123456Z {std}")], "{condition}");
            }
            let inline = rows(&engine, "SELECT inline_policies FROM aws_iam_role").await;
            assert!(inline[0].contains(r#""Action":"sts:AssumeRole""#), "{inline:?}");
        }
    });
}

/// Profiles for moto itself, with the key of `default` in one that is named `base`.
fn profiles(bed: &Bed, text: &str) -> String {
    let (id, secret) = bed.moto.key("default").expect("a key");
    let keys = format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}");
    text.replace("<KEYS>", &keys).replace("<URL>", &bed.moto.url()).replace("<ID>", &id).replace("<SECRET>", &secret)
}

const WHO: &str = "SELECT profile, account_id FROM aws_sts_caller_identity";

#[test]
fn a_bad_profile_costs_no_other() {
    let bed = Bed::start();
    let text = "stray = 1\n[profile good]\nregion = us-east-1\nendpoint_url = <URL>\n<KEYS>\n\
                [profile garbage]\nthis is not a setting\n\
                [profile one]\nrole_arn = arn:aws:iam::222222222222:role/indago\nsource_profile = two\n\
                [profile two]\nrole_arn = arn:aws:iam::222222222222:role/indago\nsource_profile = one\n\
                [profile orphan]\nrole_arn = arn:aws:iam::222222222222:role/indago\nsource_profile = gone\n\
                [profile sourceless]\nrole_arn = arn:aws:iam::222222222222:role/indago\n\
                [profile sso]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = r\n\
                [profile half]\naws_access_key_id = A\n\
                [profile failing]\nregion = us-east-1\nendpoint_url = <URL>\ncredential_process = sh -c 'echo no luck >&2; exit 7'\n\
                [profile chatty]\nregion = us-east-1\nendpoint_url = <URL>\ncredential_process = sh -c 'yes'\n\
                [profile prose]\nregion = us-east-1\nendpoint_url = <URL>\ncredential_process = echo hello\n\
                [profile open]\nregion = us-east-1\nendpoint_url = <URL>\ncredential_process = echo 'hello\n\
                [profile login]\nregion = us-east-1\nendpoint_url = <URL>\nlogin_session = arn:aws:iam::1:user/nobody-here\n\
                [profile nowhere]\nregion = us-east-1\nendpoint_url = not a url\n<KEYS>\n\
                [profile cut\nregion = us-east-1\n";
    std::fs::write(bed.config(), profiles(&bed, text)).expect("written");
    let expected = [
        ("garbage", "line 8"),
        ("one", "form a circle: one, two"),
        ("orphan", "there is no profile gone"),
        ("sourceless", "source_profile"),
        ("sso", "there is no sso-session gone"),
        ("half", "aws_secret_access_key"),
        ("failing", "failed (exit status: 7): no luck"),
        ("chatty", "prints more than"),
        ("prose", "something other than JSON"),
        ("open", "a quote is not closed"),
        ("login", "`aws login --profile login`"),
        ("nowhere", "sts:GetCallerIdentity"),
        ("cut", "there is no profile cut"),
        ("absent", "there is no profile absent"),
    ];
    let names: Vec<_> = ["good"].into_iter().chain(expected.map(|(name, _)| name)).collect();
    runtime().block_on(async {
        let engine = bed.engine(&names, &[]).await;
        let (found, warnings) = partly(&engine, WHO).await;
        assert_eq!(found, ["good 123456789012"]);
        for (name, text) in expected {
            let about = |warning: &&Warning| warning.origin.starts_with(&format!("{name}/"));
            let warnings: Vec<_> = warnings.iter().filter(about).collect();
            let [warning] = warnings.as_slice() else { panic!("{name}: {warnings:?}") };
            assert!(warning.message.contains(text), "{name}: {}", warning.message);
        }
    });
}

#[test]
fn credentials_that_are_no_longer_taken_are_read_anew() {
    let bed = Bed::start();
    bed.moto.enforce_auth().expect("moto checks signatures");
    let (old, new) = (bed.moto.key("unknownkey").expect("a key"), bed.moto.key("default").expect("a key"));
    let program = bed.folder.path().join("keys.json");
    let write = |(id, secret): &(String, String)| {
        let text = format!(
            "[profile written]\nregion = us-east-1\nendpoint_url = <URL>\naws_access_key_id = {id}\n\
             aws_secret_access_key = {secret}\n\
             [profile printed]\nregion = us-east-1\nendpoint_url = <URL>\ncredential_process = cat {}\n",
            program.display()
        );
        std::fs::write(bed.config(), profiles(&bed, &text)).expect("written");
        let printed = format!(
            r#"{{"Version": 1, "AccessKeyId": "{id}", "SecretAccessKey": "{secret}", "Expiration": "2999-01-01T00:00:00Z"}}"#
        );
        std::fs::write(&program, printed).expect("written");
    };
    write(&old);
    runtime().block_on(async {
        let engine = bed.engine(&["written", "printed"], &[]).await;
        let (found, warnings) = partly(&engine, WHO).await;
        assert_eq!((found.len(), warnings.len()), (0, 2), "{warnings:?}");
        write(&new);
        assert_eq!(rows(&engine, WHO).await, ["printed 123456789012", "written 123456789012"]);
    });
}

#[test]
fn profiles_are_read_as_the_aws_cli_reads_them() {
    let bed = Bed::start();
    let process = r#"echo '{"Version": 1, "AccessKeyId": "<ID>", "SecretAccessKey": "<SECRET>"}'"#;
    let text = format!(
        "\u{feff}; written by hand\r\n[default]\r\nregion = US-East-1\r\nendpoint_url = <URL>\r\n<KEYS>\r\n\
         [profile \"my team\"]\r\nregion = us-east-1 # ours\r\nservices = local\r\nsource_profile =\r\n<KEYS>\r\n\
         [services local]\r\nsts =\r\n  endpoint_url = <URL>\r\n\
         [profile process]\nregion=us-east-1\nendpoint_url: <URL>\ncredential_process = {process}\n\
         [profile over process]\nregion=us-east-1\nendpoint_url=<URL>\n\
         role_arn = arn:aws:iam::222222222222:role/indago\nsource_profile = process\n\
         [profile itself]\nregion=us-east-1\nendpoint_url=<URL>\ncredential_process = {process}\n\
         role_arn = arn:aws:iam::333333333333:role/indago\nsource_profile = itself\n"
    );
    std::fs::write(bed.config(), profiles(&bed, &text)).expect("written");
    runtime().block_on(async {
        let engine = bed.engine(&["default", "my team", "process", "over process", "itself"], &[]).await;
        let expected = [
            "default 123456789012",
            "itself 333333333333",
            "my team 123456789012",
            "over process 222222222222",
            "process 123456789012",
        ];
        assert_eq!(rows(&engine, WHO).await, expected);
        let sql = "SELECT profile, region, count(*) FROM aws_ec2_instance WHERE region = 'us-east-1' AND \
                   profile = 'default' GROUP BY profile, region";
        assert_eq!(rows(&engine, sql).await, ["default us-east-1 3"]);
    });
}

#[test]
fn a_program_for_credentials_runs_only_where_nobody_else_could_name_it() {
    let bed = Bed::start();
    let marker = bed.folder.path().join("ran");
    let folder = bed.folder.path().join("aws");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("config");
    let process = format!(
        r#"sh -c "touch {}; echo '{{\"Version\": 1, \"AccessKeyId\": \"<ID>\", \"SecretAccessKey\": \"<SECRET>\"}}'""#,
        marker.display()
    );
    let text = profiles(
        &bed,
        &format!("[profile p]\nregion = us-east-1\nendpoint_url = <URL>\ncredential_process = {process}\n"),
    );
    std::fs::write(&file, text).expect("written");
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed mode");
    };
    let ask = || async {
        let settings =
            AwsSettings { profiles: vec!["p".into()], config_file: Some(file.clone()), ..AwsSettings::default() };
        let environments = Environments { aws: Some(Aws::new(&settings)), ..Environments::default() };
        let engine = Engine::builder().tables(all(&environments)).build().await.expect("an engine");
        partly(&engine, WHO).await
    };
    runtime().block_on(async {
        for (of_file, of_folder, culprit) in [(0o666, 0o755, &file), (0o660, 0o755, &file), (0o600, 0o777, &folder)] {
            mode(&file, of_file);
            mode(&folder, of_folder);
            let (found, warnings) = ask().await;
            assert!(found.is_empty() && !marker.exists(), "{of_file:o} {of_folder:o}: {warnings:?}");
            let message = &warnings[0].message;
            let culprit = format!("{} (mode ", culprit.display());
            assert!(message.contains("is not run: other users can write ") && message.contains(&culprit), "{message}");
        }
        mode(&file, 0o600);
        // In a directory like /tmp, no user can replace the files of another.
        for of_folder in [0o755, 0o1777] {
            mode(&folder, of_folder);
            assert_eq!(ask().await, (vec!["p 123456789012".to_owned()], vec![]));
            assert!(marker.exists());
        }
        // Others can write the program or its interpreter.
        let (program, interpreter) = (folder.join("program"), folder.join("interpreter"));
        std::fs::copy("/bin/true", &interpreter).expect("copied");
        std::fs::write(&program, format!("#!{}\n", interpreter.display())).expect("written");
        let named = format!("[profile p]\nregion = us-east-1\ncredential_process = {}\n", program.display());
        std::fs::write(&file, named).expect("written");
        for culprit in [&program, &interpreter] {
            mode(&program, 0o755);
            mode(&interpreter, 0o755);
            mode(culprit, 0o757);
            let (found, warnings) = ask().await;
            let expected = format!("profile p is not run: other users can write {} (mode 0757)", culprit.display());
            assert!(found.is_empty() && warnings[0].message.contains(&expected), "{warnings:?}");
        }
    });
}

#[test]
fn a_program_for_credentials_that_hangs_is_ended_with_all_that_it_started() {
    let bed = Bed::start();
    let lock = bed.folder.path().join("lock");
    let text = format!(
        "[profile p]\nregion = us-east-1\nendpoint_url = <URL>\n\
         credential_process = sh -c 'exec 9>{}; flock 9; sleep 1000 & wait'\n",
        lock.display()
    );
    std::fs::write(bed.config(), profiles(&bed, &text)).expect("written");
    runtime().block_on(async {
        let limits = Limits { retries: 0, call_timeout: Duration::from_millis(500), ..Limits::default() };
        let engine = bed.limited(&["p"], &[], limits).await;
        let (found, warnings) = partly(&engine, WHO).await;
        assert!(found.is_empty() && warnings[0].message.contains("no response within"), "{warnings:?}");
    });
    // The lock is released by the last of them.
    let free = std::process::Command::new("flock").args(["-w", "60"]).arg(&lock).arg("true").status().expect("flock");
    assert!(free.success());
}

/// The program in its own home directory with this `~/.aws/config` and these variables.
fn at_home(bed: &Bed, config: &str, variables: &[(&str, &str)], profile: &str, sql: &str) -> Output {
    let home = bed.folder.path().join("home");
    std::fs::create_dir_all(home.join(".aws")).expect("a folder");
    std::fs::write(home.join(".aws/config"), profiles(bed, config)).expect("written");
    let file = home.join("indago.toml");
    std::fs::write(&file, format!("[aws]\nprofiles = [\"{profile}\"]\n")).expect("written");
    let mut command = indago();
    for (name, _) in std::env::vars() {
        if name.starts_with("AWS_") || name.to_ascii_lowercase().ends_with("_proxy") || name.ends_with("_BUNDLE") {
            command.env_remove(name);
        }
    }
    command.env("HOME", &home).env("AWS_EC2_METADATA_DISABLED", "true").current_dir(&home);
    command.envs(variables.iter().copied()).arg("--config").arg(&file).args(["query", sql]);
    command.output().expect("indago runs")
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_session_of_aws_login_is_used_while_it_lasts() {
    let bed = Bed::start();
    let config =
        "[profile dev]\nregion = us-east-1\nendpoint_url = <URL>\nlogin_session = arn:aws:iam::123456789012:user/me\n";
    let cache = bed.folder.path().join("home/.aws/login/cache");
    std::fs::create_dir_all(&cache).expect("a folder");
    // The SHA-256 of the session's ARN.
    let digest = std::process::Command::new("sh")
        .args(["-c", "printf %s arn:aws:iam::123456789012:user/me | sha256sum | cut -d' ' -f1"])
        .output()
        .expect("sha256sum runs");
    let file = cache.join(format!("{}.json", String::from_utf8_lossy(&digest.stdout).trim()));
    let session = |end: &str| {
        profiles(
            &bed,
            &format!(
                r#"{{"accessToken": {{"accessKeyId": "<ID>", "secretAccessKey": "<SECRET>", "accountId": "123456789012",
                     "expiresAt": "{end}"}}, "refreshToken": "r", "clientId": "c", "dpopKey": "k"}}"#
            ),
        )
    };
    std::fs::write(&file, session("2099-01-01T00:00:00Z")).expect("written");
    let (out, err) = said(&at_home(&bed, config, &[], "dev", WHO));
    assert!(out.contains("123456789012") && err.is_empty(), "{out}{err}");
    for (text, expected) in [
        (session("2020-01-01T00:00:00Z"), "ended at 2020-01-01T00:00:00Z; run `aws login --profile dev`"),
        (session("soon"), "whose `expiresAt` is not a time"),
        ("{".to_owned(), "is not JSON in"),
        ("{}".to_owned(), "without `AccessKeyId`"),
    ] {
        std::fs::write(&file, &text).expect("written");
        let (out, err) = said(&at_home(&bed, config, &[], "dev", WHO));
        assert!(out.trim() == "[]" && err.contains("profile dev") && err.contains(expected), "{text}: {out}{err}");
        // Queries change nothing.
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), text);
    }
}

#[test]
fn proxies_of_the_environment_are_taken_as_the_aws_cli_takes_them() {
    let bed = Bed::start();
    let config = "[profile dev]\nregion = us-east-1\nendpoint_url = <URL>\n<KEYS>\n";
    let proxy = bed.proxy.url();
    let host = bed.moto.url().trim_start_matches("http://").to_owned();
    for (variables, expected) in [
        (vec![("HTTP_PROXY", proxy.as_str())], 1),
        (vec![("http_proxy", proxy.as_str()), ("HTTP_PROXY", "http://127.0.0.1:9")], 1),
        (vec![("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "localhost,127.0.0.1")], 0),
        (vec![("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", host.as_str())], 0),
        (vec![("HTTP_PROXY", proxy.as_str()), ("no_proxy", "*")], 0),
        (vec![("HTTPS_PROXY", "http://127.0.0.1:9"), ("ALL_PROXY", "http://127.0.0.1:9")], 0),
    ] {
        bed.proxy.clear_requests();
        let (out, err) = said(&at_home(&bed, config, &variables, "dev", WHO));
        assert!(out.contains("123456789012") && err.is_empty(), "{variables:?}: {out}{err}");
        assert_eq!(bed.proxy.requests().len(), expected, "{variables:?}");
    }
}

#[test]
fn a_bundle_of_certificates_replaces_the_machines() {
    let bed = Bed::start();
    let tls = Moto::with(MotoOptions { tls: true, ..MotoOptions::default() }).expect("moto over TLS");
    let certificate = tls.certificate();
    let certificate = certificate.to_str().expect("a plain path");
    let plain = format!("[profile dev]\nregion = us-east-1\nendpoint_url = {}\n<KEYS>\n", tls.url());
    let with_bundle = format!("{plain}ca_bundle = {certificate}\n");
    let absent = format!("{plain}ca_bundle = /nonexistent/ca.pem\n");
    let device = format!("{plain}ca_bundle = /dev/zero\n");
    // Another certificate, and text around the right one.
    let folder = bed.folder.path();
    let (other, mixed, empty) = (folder.join("other.pem"), folder.join("mixed.pem"), folder.join("empty.pem"));
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=other \
                -keyout /dev/null -out";
    let made = std::process::Command::new("sh").args(["-c", &format!("{make} {}", other.display())]).output();
    assert!(made.expect("openssl runs").status.success());
    let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let all = format!("# ours\n{broken}{}\n{}", read(&other), read(Path::new(certificate)));
    std::fs::write(&mixed, all).and_then(|()| std::fs::write(&empty, "nothing here\n")).expect("written");
    let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let (other, mixed, empty) = (path(&other), path(&mixed), path(&empty));
    for (config, variables, expected) in [
        (&with_bundle, vec![], Ok(())),
        (&plain, vec![("AWS_CA_BUNDLE", certificate)], Ok(())),
        (&plain, vec![("REQUESTS_CA_BUNDLE", certificate)], Ok(())),
        (&plain, vec![("AWS_CA_BUNDLE", &mixed)], Ok(())),
        (&with_bundle, vec![("AWS_CA_BUNDLE", "")], Ok(())),
        (&plain, vec![], Err("certificate of the endpoint is not trusted")),
        (&with_bundle, vec![("AWS_CA_BUNDLE", other.as_str())], Err("certificate of the endpoint is not trusted")),
        (&plain, vec![("AWS_CA_BUNDLE", "/nonexistent")], Err("there is no file /nonexistent (AWS_CA_BUNDLE)")),
        (&plain, vec![("AWS_CA_BUNDLE", empty.as_str())], Err("contains no certificate in PEM")),
        (&plain, vec![("AWS_CA_BUNDLE", "/tmp")], Err("/tmp")),
        (&absent, vec![], Err("there is no file /nonexistent/ca.pem (`ca_bundle` of profile dev)")),
        (&device, vec![], Err("/dev/zero")),
    ] {
        let (out, err) = said(&at_home(&bed, config, &variables, "dev", WHO));
        match expected {
            Ok(()) => assert!(out.contains("123456789012") && err.is_empty(), "{variables:?}: {out}{err}"),
            Err(text) => assert!(out.trim() == "[]" && err.contains(text), "{variables:?}: {out}{err}"),
        }
    }
}
