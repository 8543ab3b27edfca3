"""The company's two AWS accounts on moto. Prints `INSTANCE=` and `ZONE=` of the machine that is the cluster's node."""

import json

import boto3

PROD, STAGING = "222222222222", "333333333333"


def clients(account):
    # Before authentication is enforced, any role may be assumed.
    role = f"arn:aws:iam::{account}:role/entry"
    key = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="estate")["Credentials"]
    secret = dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], aws_session_token=key["SessionToken"])
    return boto3.client("iam", **secret), boto3.client("ec2", **secret)


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, resource="*"):
    return {"Effect": "Allow", "Action": actions, "Resource": resource}


def role(iam, name, service, description, attached=(), inline=None, profile=True):
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), Description=description)
    for arn in attached:
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    for policy, statements in (inline or {}).items():
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document(*statements))
    if profile:
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def machine(ec2, name, kind, profile, **more):
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    tags = [{"Key": key, "Value": value} for key, value in ({"Name": name} | more).items()]
    made = ec2.run_instances(ImageId=image, InstanceType=kind, MinCount=1, MaxCount=1, IamInstanceProfile={"Name": profile},
                             TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
    return made["Instances"][0]


AWS = "arn:aws:iam::aws:policy"
iam, ec2 = clients(PROD)
iam.create_account_alias(AccountAlias="acme-prod")
role(iam, "acme-node", "ec2.amazonaws.com", "Nodes of the shop's cluster", [f"{AWS}/AmazonEC2ContainerRegistryReadOnly"], {
    "scale-up": [allow(["ec2:RunInstances", "ec2:CreateTags"]), allow("iam:PassRole", f"arn:aws:iam::{PROD}:role/*")],
    "read-self": [allow("ec2:Describe*")],
})
role(iam, "acme-break-glass", "ec2.amazonaws.com", "For emergencies only: ask the platform team", [f"{AWS}/AdministratorAccess"])
backup = iam.create_policy(PolicyName="acme-backup", PolicyDocument=document(
    allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::acme-backup/*"), allow("ec2:CreateSnapshot")))["Policy"]["Arn"]
role(iam, "acme-backup", "ec2.amazonaws.com", "Nightly copies", [backup])
role(iam, "acme-orders", "lambda.amazonaws.com", "Turns orders into mail", [], {
    "queue": [allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"], f"arn:aws:sqs:us-east-1:{PROD}:orders")]}, profile=False)
for user in ("amara.okafor", "ines.duarte", "jonas.weber"):
    iam.create_user(UserName=user, Tags=[{"Key": "team", "Value": "shop" if user != "amara.okafor" else "platform"}])
iam.create_group(GroupName="engineers")
iam.attach_group_policy(GroupName="engineers", PolicyArn=f"{AWS}/ReadOnlyAccess")
for user in ("amara.okafor", "ines.duarte", "jonas.weber"):
    iam.add_user_to_group(GroupName="engineers", UserName=user)
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
group = ec2.create_security_group(GroupName="cluster-nodes", Description="Nodes of the shop's cluster", VpcId=vpc)["GroupId"]
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "customers"}]},
    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "198.51.100.0/24", "Description": "office"}]}])
node = machine(ec2, "shop-node-1", "m6i.xlarge", "acme-node", cluster="acme-prod", team="platform")
ec2.modify_instance_attribute(InstanceId=node["InstanceId"], Groups=[group])
machine(ec2, "backup", "t3.medium", "acme-backup", team="platform")
machine(ec2, "bastion", "t3.micro", "acme-break-glass", team="platform")

iam, ec2 = clients(STAGING)
iam.create_account_alias(AccountAlias="acme-staging")
role(iam, "acme-staging-node", "ec2.amazonaws.com", "Nodes of the staging cluster", [f"{AWS}/AmazonEC2ContainerRegistryReadOnly"])
role(iam, "acme-ci", "ec2.amazonaws.com", "Runs the builds", [f"{AWS}/PowerUserAccess"])
machine(ec2, "staging-node-1", "t3.large", "acme-staging-node", cluster="acme-staging")
machine(ec2, "build-7", "c6i.xlarge", "acme-ci", team="platform")
print(f"INSTANCE={node['InstanceId']} ZONE={node['Placement']['AvailabilityZone']}")
