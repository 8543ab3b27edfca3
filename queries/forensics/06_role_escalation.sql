-- about: Which machines' roles may hand a stronger role to a machine that they start?
-- interval: 1h
-- tags: aws, iam, privilege-escalation
SELECT
  holder.account_id,
  ip.instance_profile_name AS instance_profile,
  holder.name AS role,
  stronger.name AS passable_role,
  array_to_string(stronger.attached_policy_arns, ', ') AS passable_policies
FROM aws_iam_instance_profile ip
JOIN aws_iam_role holder ON holder.arn = ip.role_arn
-- What EC2 can be given: a role that trusts it, in the same account.
JOIN aws_iam_role stronger ON stronger.account_id = holder.account_id AND stronger.arn <> holder.arn
WHERE CAST(holder.inline_policies_std AS TEXT) LIKE '%"iam:passrole"%'
  AND CAST(holder.inline_policies_std AS TEXT) LIKE '%"ec2:runinstances"%'
  AND CAST(stronger.assume_role_policy_std AS TEXT) LIKE '%"ec2.amazonaws.com"%'
  AND array_has_any(stronger.attached_policy_arns,
    ['arn:aws:iam::aws:policy/AdministratorAccess', 'arn:aws:iam::aws:policy/PowerUserAccess', 'arn:aws:iam::aws:policy/IAMFullAccess'])
ORDER BY holder.account_id, role, passable_role
