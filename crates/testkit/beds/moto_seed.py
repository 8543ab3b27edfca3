"""Users, roles and profiles of the moto bed; writes BED/config and BED/credentials."""

import json
import os

import boto3

BED = os.environ["BED"]
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOME = "123456789012"


def policy(actions):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


def trust(account):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}]})


iam, sts = boto3.client("iam"), boto3.client("sts")
keys = {}
for user in ("admin", "readonly", "nobody"):
    iam.create_user(UserName=user)
    keys[user] = iam.create_access_key(UserName=user)["AccessKey"]
iam.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
iam.put_user_policy(UserName="readonly", PolicyName="describe", PolicyDocument=policy(["ec2:Describe*", "sts:*"]))

for account in ("222222222222", "333333333333"):
    # Before authentication is enforced, any role may be assumed. This gives access to an empty account.
    entry = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/entry", RoleSessionName="bed")["Credentials"]
    there = boto3.client("iam", aws_access_key_id=entry["AccessKeyId"], aws_secret_access_key=entry["SecretAccessKey"], aws_session_token=entry["SessionToken"])
    there.create_role(RoleName="indago", AssumeRolePolicyDocument=trust(HOME))
    there.attach_role_policy(RoleName="indago", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

secrets = {
    "default": (keys["admin"]["AccessKeyId"], keys["admin"]["SecretAccessKey"]),
    "readonly": (keys["readonly"]["AccessKeyId"], keys["readonly"]["SecretAccessKey"]),
    "nobody": (keys["nobody"]["AccessKeyId"], keys["nobody"]["SecretAccessKey"]),
    "badsecret": (keys["admin"]["AccessKeyId"], "x" * 40),
    "unknownkey": ("AKIAXXXXXXXXXXXXXXXX", "y" * 40),
}
roles = {"prod": ("222222222222", "default"), "staging": ("333333333333", "default"), "forbidden": ("222222222222", "nobody")}

with open(f"{BED}/credentials", "w") as file:
    for profile, (key, secret) in secrets.items():
        file.write(f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n\n")
with open(f"{BED}/config", "w") as file:
    for profile in secrets:
        header = profile if profile == "default" else f"profile {profile}"
        file.write(f"[{header}]\nregion = us-east-1\nendpoint_url = {ENDPOINT}\n\n")
    for profile, (account, source) in roles.items():
        file.write(f"[profile {profile}]\nregion = us-east-1\nendpoint_url = {ENDPOINT}\n"
                   f"role_arn = arn:aws:iam::{account}:role/indago\nsource_profile = {source}\n\n")
