//! The AWS tables on moto's server: several accounts, real signatures and policies, and endpoints that misbehave.

use std::path::PathBuf;
use std::time::Duration;

use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indago_engine::{Engine, Limits, Outcome, Warning};
use indago_tables_registry::{Aws, AwsSettings, Environments, all};
use indago_testkit::beds::{Effect, Fault, Moto, Rule};

const ESTATE: &str = include_str!("fixtures/aws/estate.py");

/// moto with the estate in it, a proxy before it, and a file of profiles that leads through the proxy.
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

    /// Profiles of users with their keys, of roles that they take on, and one without either.
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
        Engine::builder().tables(all(&environments)).limits(limits).build().await.expect("an engine")
    }

    /// The actions that a query asked for, in order.
    async fn actions(&self, engine: &Engine, sql: &str) -> Vec<String> {
        self.proxy.clear_requests();
        rows(engine, sql).await;
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

/// Rows, their columns separated by blanks, sorted, and what was missing.
async fn partly(engine: &Engine, sql: &str) -> (Vec<String>, Vec<Warning>) {
    let (rows, warnings) = ask(engine, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut rows: Vec<String> = rows.into_iter().map(|row| row.join(" ")).collect();
    rows.sort();
    (rows, warnings)
}

/// Rows where nothing may be missing.
async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let (rows, warnings) = partly(engine, sql).await;
    assert!(warnings.is_empty(), "{sql}: {warnings:?}");
    rows
}

fn runtime() -> tokio::runtime::Runtime {
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
            ("SELECT instance_id FROM aws_ec2_instance WHERE profile = 'another'", &[]),
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
        // A named region is asked without a look at the list of regions.
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
        let of_join = "SELECT count(*) FROM aws_region r JOIN aws_ec2_instance i ON i.region = r.name";
        assert_eq!(rows(&engine, of_join).await, ["3"]);
        for (condition, told) in [
            (
                "region = 'eu-west-9'",
                "(region=eu-west-9): profile default: its account has no region eu-west-9 enabled;",
            ),
            ("region = 'Ireland'", "(region=Ireland): `Ireland` is no region: regions have names such as us-east-1"),
            (
                "account_id = '222222222222'",
                "(account_id=222222222222): no profile is of account 222222222222; \
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
        // All that was read of AWS counts.
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

        let engine = bed.engine(&["readonly", "nobody"], &[]).await;
        let (instances, warnings) = partly(&engine, "SELECT profile FROM aws_ec2_instance").await;
        assert_eq!(instances, ["readonly"; 3]);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].needs.as_deref(), Some("ec2:DescribeInstances"));
        assert_eq!(warnings[0].outcome, Outcome::Denied);
    });
    // Who may list users and nothing else sees users, and a warning for each column that is missing.
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

/// What IAM answers to ListUsers.
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
        // One listing for a query that reads the table twice.
        let sql = "SELECT a.name FROM aws_iam_user a JOIN aws_iam_user b ON b.path = a.path AND b.arn = a.arn";
        assert!(bed.actions(&engine, sql).await.len() <= 7, "each page at the most once, and the account");

        // A page that is throttled is tried again, and those before it are not.
        bed.proxy.clear_rules();
        bed.proxy.rule(Rule::new(Effect::aws_throttling()).body("Marker=one").first(2));
        bed.proxy.rule(users("b", None).body("Marker=one")).rule(users("a", Some("one")));
        assert_eq!(bed.actions(&engine, "SELECT name FROM aws_iam_user").await.len(), 4);

        // The same page for ever is an end too.
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
            (Effect::Hang, Outcome::Io, "no answer within"),
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
        // What fails in passing is tried again, and nobody hears of it.
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
        // A cut answer is a failure and no shorter list.
        bed.proxy.clear_rules();
        bed.proxy.rule(Rule::new(Effect::Truncate(900)).body("Action=DescribeInstances"));
        let (found, warnings) = partly(&engine, sql).await;
        assert!(found.is_empty() && warnings.len() == 2, "{found:?} {warnings:?}");
    });
    // Nobody listens there.
    bed.write_profiles("http://127.0.0.1:9");
    runtime().block_on(async {
        let engine = bed.engine(&["default"], &[]).await;
        let (found, warnings) = partly(&engine, "SELECT name FROM aws_iam_user").await;
        assert!(found.is_empty());
        assert!(warnings[0].message.contains("refused"), "{warnings:?}");
    });
}
