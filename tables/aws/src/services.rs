//! The services that are called through [`api`](crate::api), without those of one table.

use crate::api::{REST, Service};

/// GovCloud, in which many services have only FIPS endpoints.
const GOV: &[&str] = &["aws-us-gov"];

pub(crate) static ACCOUNT: Service = Service { name: "account", id: "Account", is_global: true, ..REST };

pub(crate) static CLOUD_CONTROL: Service =
    Service { name: "cloudcontrolapi", id: "CloudControl", target: "CloudApiService", json: "1.0", ..REST };

pub(crate) static CLOUD_TRAIL: Service = Service {
    name: "cloudtrail",
    id: "CloudTrail",
    target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
    json: "1.1",
    is_global: false,
    always_fips: GOV,
};

pub(crate) static ECR: Service =
    Service { name: "ecr", id: "ECR", target: "AmazonEC2ContainerRegistry_V20150921", json: "1.1", ..REST };

pub(crate) static EKS: Service = Service { name: "eks", id: "EKS", always_fips: GOV, ..REST };

pub(crate) static GUARD_DUTY: Service = Service { name: "guardduty", id: "GuardDuty", always_fips: GOV, ..REST };

pub(crate) static KMS: Service = Service { name: "kms", id: "KMS", target: "TrentService", json: "1.1", ..REST };

pub(crate) static LAMBDA: Service = Service { name: "lambda", id: "Lambda", ..REST };

pub(crate) static S3: Service = Service { name: "s3", id: "S3", ..REST };

pub(crate) static SECRETS_MANAGER: Service =
    Service { name: "secretsmanager", id: "Secrets Manager", target: "secretsmanager", json: "1.1", ..REST };

pub(crate) static SQS: Service =
    Service { name: "sqs", id: "SQS", target: "AmazonSQS", json: "1.0", is_global: false, always_fips: GOV };

pub(crate) static SSM: Service =
    Service { name: "ssm", id: "SSM", target: "AmazonSSM", json: "1.1", is_global: false, always_fips: GOV };
