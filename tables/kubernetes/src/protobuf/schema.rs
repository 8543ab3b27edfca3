//! Written by crates/xtask/kubernetes_schema.py; do not edit.
//!
//! Facts of Kubernetes' public API: numbers, names and types from types.go of Kubernetes 1.20.2 (Debian's
//! source package), and from the crates k8s-pb 0.9.0 and k8s-openapi 0.29.0 for what newer versions added.

use super::Form::{Given, Inline, List, Map, NonZero, Nullable, NullableList};
use super::Kind::{
    Bool, Bytes, Integer, IntOrString, MicroTime, Object, Of, Quantity, Raw, Text, Texts, Time,
};
use super::{Field as F, Message};

/// Group and version, kind in lowercase, and message of each resource.
pub(super) static RESOURCES: &[(&str, &str, &Message)] = &[
    ("v1", "componentstatus", &CORE_V1_COMPONENT_STATUS),
    ("v1", "configmap", &CORE_V1_CONFIG_MAP),
    ("v1", "endpoints", &CORE_V1_ENDPOINTS),
    ("v1", "event", &CORE_V1_EVENT),
    ("v1", "limitrange", &CORE_V1_LIMIT_RANGE),
    ("v1", "namespace", &CORE_V1_NAMESPACE),
    ("v1", "node", &CORE_V1_NODE),
    ("v1", "persistentvolumeclaim", &CORE_V1_PERSISTENT_VOLUME_CLAIM),
    ("v1", "persistentvolume", &CORE_V1_PERSISTENT_VOLUME),
    ("v1", "pod", &CORE_V1_POD),
    ("v1", "podtemplate", &CORE_V1_POD_TEMPLATE),
    ("v1", "replicationcontroller", &CORE_V1_REPLICATION_CONTROLLER),
    ("v1", "resourcequota", &CORE_V1_RESOURCE_QUOTA),
    ("v1", "secret", &CORE_V1_SECRET),
    ("v1", "serviceaccount", &CORE_V1_SERVICE_ACCOUNT),
    ("v1", "service", &CORE_V1_SERVICE),
    ("apps/v1", "controllerrevision", &APPS_V1_CONTROLLER_REVISION),
    ("apps/v1", "daemonset", &APPS_V1_DAEMON_SET),
    ("apps/v1", "deployment", &APPS_V1_DEPLOYMENT),
    ("apps/v1", "replicaset", &APPS_V1_REPLICA_SET),
    ("apps/v1", "statefulset", &APPS_V1_STATEFUL_SET),
    ("batch/v1", "cronjob", &BATCH_V1_CRON_JOB),
    ("batch/v1", "job", &BATCH_V1_JOB),
    ("batch/v1beta1", "cronjob", &BATCH_V1BETA1_CRON_JOB),
    ("rbac.authorization.k8s.io/v1", "clusterrolebinding", &RBAC_V1_CLUSTER_ROLE_BINDING),
    ("rbac.authorization.k8s.io/v1", "clusterrole", &RBAC_V1_CLUSTER_ROLE),
    ("rbac.authorization.k8s.io/v1", "rolebinding", &RBAC_V1_ROLE_BINDING),
    ("rbac.authorization.k8s.io/v1", "role", &RBAC_V1_ROLE),
    ("networking.k8s.io/v1", "ipaddress", &NETWORKING_V1_IP_ADDRESS),
    ("networking.k8s.io/v1", "ingressclass", &NETWORKING_V1_INGRESS_CLASS),
    ("networking.k8s.io/v1", "ingress", &NETWORKING_V1_INGRESS),
    ("networking.k8s.io/v1", "networkpolicy", &NETWORKING_V1_NETWORK_POLICY),
    ("networking.k8s.io/v1", "servicecidr", &NETWORKING_V1_SERVICE_CIDR),
    ("networking.k8s.io/v1beta1", "ipaddress", &NETWORKING_V1BETA1_IP_ADDRESS),
    ("networking.k8s.io/v1beta1", "ingressclass", &NETWORKING_V1BETA1_INGRESS_CLASS),
    ("networking.k8s.io/v1beta1", "ingress", &NETWORKING_V1BETA1_INGRESS),
    ("networking.k8s.io/v1beta1", "servicecidr", &NETWORKING_V1BETA1_SERVICE_CIDR),
    ("storage.k8s.io/v1", "csidriver", &STORAGE_V1_CSI_DRIVER),
    ("storage.k8s.io/v1", "csinode", &STORAGE_V1_CSI_NODE),
    ("storage.k8s.io/v1", "csistoragecapacity", &STORAGE_V1_CSI_STORAGE_CAPACITY),
    ("storage.k8s.io/v1", "storageclass", &STORAGE_V1_STORAGE_CLASS),
    ("storage.k8s.io/v1", "volumeattachment", &STORAGE_V1_VOLUME_ATTACHMENT),
    ("storage.k8s.io/v1", "volumeattributesclass", &STORAGE_V1_VOLUME_ATTRIBUTES_CLASS),
    ("storage.k8s.io/v1beta1", "csidriver", &STORAGE_V1BETA1_CSI_DRIVER),
    ("storage.k8s.io/v1beta1", "csinode", &STORAGE_V1BETA1_CSI_NODE),
    ("storage.k8s.io/v1beta1", "csistoragecapacity", &STORAGE_V1BETA1_CSI_STORAGE_CAPACITY),
    ("storage.k8s.io/v1beta1", "storageclass", &STORAGE_V1BETA1_STORAGE_CLASS),
    ("storage.k8s.io/v1beta1", "volumeattachment", &STORAGE_V1BETA1_VOLUME_ATTACHMENT),
    ("storage.k8s.io/v1beta1", "volumeattributesclass", &STORAGE_V1BETA1_VOLUME_ATTRIBUTES_CLASS),
    ("policy/v1", "poddisruptionbudget", &POLICY_V1_POD_DISRUPTION_BUDGET),
    ("policy/v1beta1", "poddisruptionbudget", &POLICY_V1BETA1_POD_DISRUPTION_BUDGET),
    ("policy/v1beta1", "podsecuritypolicy", &POLICY_V1BETA1_POD_SECURITY_POLICY),
    ("autoscaling/v1", "horizontalpodautoscaler", &AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER),
    ("autoscaling/v2", "horizontalpodautoscaler", &AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER),
    ("autoscaling/v2beta2", "horizontalpodautoscaler", &AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER),
    ("discovery.k8s.io/v1", "endpointslice", &DISCOVERY_V1_ENDPOINT_SLICE),
    ("discovery.k8s.io/v1beta1", "endpointslice", &DISCOVERY_V1BETA1_ENDPOINT_SLICE),
    ("admissionregistration.k8s.io/v1", "mutatingwebhookconfiguration",
     &ADMISSIONREGISTRATION_V1_MUTATING_WEBHOOK_CONFIGURATION),
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybinding",
     &ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_BINDING),
    ("admissionregistration.k8s.io/v1", "validatingadmissionpolicy",
     &ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY),
    ("admissionregistration.k8s.io/v1", "validatingwebhookconfiguration",
     &ADMISSIONREGISTRATION_V1_VALIDATING_WEBHOOK_CONFIGURATION),
    ("coordination.k8s.io/v1", "lease", &COORDINATION_V1_LEASE),
    ("certificates.k8s.io/v1", "certificatesigningrequest", &CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST),
    ("events.k8s.io/v1", "event", &EVENTS_V1_EVENT),
    ("scheduling.k8s.io/v1", "priorityclass", &SCHEDULING_V1_PRIORITY_CLASS),
    ("node.k8s.io/v1", "runtimeclass", &NODE_V1_RUNTIME_CLASS),
    ("flowcontrol.apiserver.k8s.io/v1", "flowschema", &FLOWCONTROL_V1_FLOW_SCHEMA),
    ("flowcontrol.apiserver.k8s.io/v1", "prioritylevelconfiguration", &FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION),
];

static ADMISSIONREGISTRATION_V1_AUDIT_ANNOTATION: Message = Message(&[
    F(1, "key", Text, Given), F(2, "valueExpression", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_EXPRESSION_WARNING: Message = Message(&[
    F(2, "fieldRef", Text, Given), F(3, "warning", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_MATCH_CONDITION: Message = Message(&[
    F(1, "name", Text, Given), F(2, "expression", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_MATCH_RESOURCES: Message = Message(&[
    F(1, "namespaceSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(2, "objectSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(3, "resourceRules", Of(&ADMISSIONREGISTRATION_V1_NAMED_RULE_WITH_OPERATIONS), List),
    F(4, "excludeResourceRules", Of(&ADMISSIONREGISTRATION_V1_NAMED_RULE_WITH_OPERATIONS), List),
    F(7, "matchPolicy", Text, NonZero),
]);

static ADMISSIONREGISTRATION_V1_MUTATING_WEBHOOK: Message = Message(&[
    F(1, "name", Text, Given), F(2, "clientConfig", Of(&ADMISSIONREGISTRATION_V1_WEBHOOK_CLIENT_CONFIG), Given),
    F(3, "rules", Of(&ADMISSIONREGISTRATION_V1_RULE_WITH_OPERATIONS), List), F(4, "failurePolicy", Text, Given),
    F(9, "matchPolicy", Text, Given), F(5, "namespaceSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(11, "objectSelector", Of(&META_V1_LABEL_SELECTOR), Given), F(6, "sideEffects", Text, Nullable),
    F(7, "timeoutSeconds", Integer, Given), F(8, "admissionReviewVersions", Text, NullableList),
    F(10, "reinvocationPolicy", Text, Given),
    F(12, "matchConditions", Of(&ADMISSIONREGISTRATION_V1_MATCH_CONDITION), List),
]);

static ADMISSIONREGISTRATION_V1_MUTATING_WEBHOOK_CONFIGURATION: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "webhooks", Of(&ADMISSIONREGISTRATION_V1_MUTATING_WEBHOOK), List),
]);

static ADMISSIONREGISTRATION_V1_NAMED_RULE_WITH_OPERATIONS: Message = Message(&[
    F(1, "resourceNames", Text, List),
    F(2, "ruleWithOperations", Of(&ADMISSIONREGISTRATION_V1_RULE_WITH_OPERATIONS), Inline),
]);

static ADMISSIONREGISTRATION_V1_PARAM_KIND: Message = Message(&[
    F(1, "apiVersion", Text, Given), F(2, "kind", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_PARAM_REF: Message = Message(&[
    F(1, "name", Text, Given), F(2, "namespace", Text, NonZero), F(3, "selector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(4, "parameterNotFoundAction", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_RULE: Message = Message(&[
    F(1, "apiGroups", Text, List), F(2, "apiVersions", Text, List), F(3, "resources", Text, List),
    F(4, "scope", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_RULE_WITH_OPERATIONS: Message = Message(&[
    F(1, "operations", Text, List), F(2, "", Of(&ADMISSIONREGISTRATION_V1_RULE), Inline),
]);

static ADMISSIONREGISTRATION_V1_SERVICE_REFERENCE: Message = Message(&[
    F(1, "namespace", Text, Given), F(2, "name", Text, Given), F(3, "path", Text, Given),
    F(4, "port", Integer, Given),
]);

static ADMISSIONREGISTRATION_V1_TYPE_CHECKING: Message = Message(&[
    F(1, "expressionWarnings", Of(&ADMISSIONREGISTRATION_V1_EXPRESSION_WARNING), List),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_SPEC), Given),
    F(3, "status", Of(&ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_STATUS), Given),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_BINDING: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_BINDING_SPEC), Given),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_BINDING_SPEC: Message = Message(&[
    F(1, "policyName", Text, Given), F(2, "paramRef", Of(&ADMISSIONREGISTRATION_V1_PARAM_REF), Given),
    F(3, "matchResources", Of(&ADMISSIONREGISTRATION_V1_MATCH_RESOURCES), Given),
    F(4, "validationActions", Text, List),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_SPEC: Message = Message(&[
    F(1, "paramKind", Of(&ADMISSIONREGISTRATION_V1_PARAM_KIND), Given),
    F(2, "matchConstraints", Of(&ADMISSIONREGISTRATION_V1_MATCH_RESOURCES), Given),
    F(3, "validations", Of(&ADMISSIONREGISTRATION_V1_VALIDATION), List), F(4, "failurePolicy", Text, NonZero),
    F(5, "auditAnnotations", Of(&ADMISSIONREGISTRATION_V1_AUDIT_ANNOTATION), List),
    F(6, "matchConditions", Of(&ADMISSIONREGISTRATION_V1_MATCH_CONDITION), List),
    F(7, "variables", Of(&ADMISSIONREGISTRATION_V1_VARIABLE), List),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_ADMISSION_POLICY_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, NonZero),
    F(2, "typeChecking", Of(&ADMISSIONREGISTRATION_V1_TYPE_CHECKING), Given),
    F(3, "conditions", Of(&META_V1_CONDITION), List),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_WEBHOOK: Message = Message(&[
    F(1, "name", Text, Given), F(2, "clientConfig", Of(&ADMISSIONREGISTRATION_V1_WEBHOOK_CLIENT_CONFIG), Given),
    F(3, "rules", Of(&ADMISSIONREGISTRATION_V1_RULE_WITH_OPERATIONS), List), F(4, "failurePolicy", Text, Given),
    F(9, "matchPolicy", Text, Given), F(5, "namespaceSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(10, "objectSelector", Of(&META_V1_LABEL_SELECTOR), Given), F(6, "sideEffects", Text, Nullable),
    F(7, "timeoutSeconds", Integer, Given), F(8, "admissionReviewVersions", Text, NullableList),
    F(11, "matchConditions", Of(&ADMISSIONREGISTRATION_V1_MATCH_CONDITION), List),
]);

static ADMISSIONREGISTRATION_V1_VALIDATING_WEBHOOK_CONFIGURATION: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "webhooks", Of(&ADMISSIONREGISTRATION_V1_VALIDATING_WEBHOOK), List),
]);

static ADMISSIONREGISTRATION_V1_VALIDATION: Message = Message(&[
    F(1, "expression", Text, Given), F(2, "message", Text, NonZero), F(3, "reason", Text, NonZero),
    F(4, "messageExpression", Text, NonZero),
]);

static ADMISSIONREGISTRATION_V1_VARIABLE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "expression", Text, Given),
]);

static ADMISSIONREGISTRATION_V1_WEBHOOK_CLIENT_CONFIG: Message = Message(&[
    F(3, "url", Text, Given), F(1, "service", Of(&ADMISSIONREGISTRATION_V1_SERVICE_REFERENCE), Given),
    F(2, "caBundle", Bytes, NonZero),
]);

static APPS_V1_CONTROLLER_REVISION: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "data", Raw, Given), F(3, "revision", Integer, Given),
]);

static APPS_V1_DAEMON_SET: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&APPS_V1_DAEMON_SET_SPEC), Given),
    F(3, "status", Of(&APPS_V1_DAEMON_SET_STATUS), Given),
]);

static APPS_V1_DAEMON_SET_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static APPS_V1_DAEMON_SET_SPEC: Message = Message(&[
    F(1, "selector", Of(&META_V1_LABEL_SELECTOR), Nullable), F(2, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given),
    F(3, "updateStrategy", Of(&APPS_V1_DAEMON_SET_UPDATE_STRATEGY), Given), F(4, "minReadySeconds", Integer, NonZero),
    F(6, "revisionHistoryLimit", Integer, Given),
]);

static APPS_V1_DAEMON_SET_STATUS: Message = Message(&[
    F(1, "currentNumberScheduled", Integer, Given), F(2, "numberMisscheduled", Integer, Given),
    F(3, "desiredNumberScheduled", Integer, Given), F(4, "numberReady", Integer, Given),
    F(5, "observedGeneration", Integer, NonZero), F(6, "updatedNumberScheduled", Integer, NonZero),
    F(7, "numberAvailable", Integer, NonZero), F(8, "numberUnavailable", Integer, NonZero),
    F(9, "collisionCount", Integer, Given), F(10, "conditions", Of(&APPS_V1_DAEMON_SET_CONDITION), List),
]);

static APPS_V1_DAEMON_SET_UPDATE_STRATEGY: Message = Message(&[
    F(1, "type", Text, NonZero), F(2, "rollingUpdate", Of(&APPS_V1_ROLLING_UPDATE_DAEMON_SET), Given),
]);

static APPS_V1_DEPLOYMENT: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&APPS_V1_DEPLOYMENT_SPEC), Given),
    F(3, "status", Of(&APPS_V1_DEPLOYMENT_STATUS), Given),
]);

static APPS_V1_DEPLOYMENT_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(6, "lastUpdateTime", Time, Given),
    F(7, "lastTransitionTime", Time, Given), F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static APPS_V1_DEPLOYMENT_SPEC: Message = Message(&[
    F(1, "replicas", Integer, Given), F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Nullable),
    F(3, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given),
    F(4, "strategy", Of(&APPS_V1_DEPLOYMENT_STRATEGY), Given), F(5, "minReadySeconds", Integer, NonZero),
    F(6, "revisionHistoryLimit", Integer, Given), F(7, "paused", Bool, NonZero),
    F(9, "progressDeadlineSeconds", Integer, Given),
]);

static APPS_V1_DEPLOYMENT_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, NonZero), F(2, "replicas", Integer, NonZero),
    F(3, "updatedReplicas", Integer, NonZero), F(7, "readyReplicas", Integer, NonZero),
    F(4, "availableReplicas", Integer, NonZero), F(5, "unavailableReplicas", Integer, NonZero),
    F(9, "terminatingReplicas", Integer, Given), F(6, "conditions", Of(&APPS_V1_DEPLOYMENT_CONDITION), List),
    F(8, "collisionCount", Integer, Given),
]);

static APPS_V1_DEPLOYMENT_STRATEGY: Message = Message(&[
    F(1, "type", Text, NonZero), F(2, "rollingUpdate", Of(&APPS_V1_ROLLING_UPDATE_DEPLOYMENT), Given),
]);

static APPS_V1_REPLICA_SET: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&APPS_V1_REPLICA_SET_SPEC), Given),
    F(3, "status", Of(&APPS_V1_REPLICA_SET_STATUS), Given),
]);

static APPS_V1_REPLICA_SET_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static APPS_V1_REPLICA_SET_SPEC: Message = Message(&[
    F(1, "replicas", Integer, Given), F(4, "minReadySeconds", Integer, NonZero),
    F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Nullable), F(3, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given),
]);

static APPS_V1_REPLICA_SET_STATUS: Message = Message(&[
    F(1, "replicas", Integer, Given), F(2, "fullyLabeledReplicas", Integer, NonZero),
    F(4, "readyReplicas", Integer, NonZero), F(5, "availableReplicas", Integer, NonZero),
    F(7, "terminatingReplicas", Integer, Given), F(3, "observedGeneration", Integer, NonZero),
    F(6, "conditions", Of(&APPS_V1_REPLICA_SET_CONDITION), List),
]);

static APPS_V1_ROLLING_UPDATE_DAEMON_SET: Message = Message(&[
    F(1, "maxUnavailable", IntOrString, Given), F(2, "maxSurge", IntOrString, Given),
]);

static APPS_V1_ROLLING_UPDATE_DEPLOYMENT: Message = Message(&[
    F(1, "maxUnavailable", IntOrString, Given), F(2, "maxSurge", IntOrString, Given),
]);

static APPS_V1_ROLLING_UPDATE_STATEFUL_SET_STRATEGY: Message = Message(&[
    F(1, "partition", Integer, Given), F(2, "maxUnavailable", IntOrString, Given),
]);

static APPS_V1_STATEFUL_SET: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&APPS_V1_STATEFUL_SET_SPEC), Given),
    F(3, "status", Of(&APPS_V1_STATEFUL_SET_STATUS), Given),
]);

static APPS_V1_STATEFUL_SET_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static APPS_V1_STATEFUL_SET_ORDINALS: Message = Message(&[
    F(1, "start", Integer, Given),
]);

static APPS_V1_STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY: Message = Message(&[
    F(1, "whenDeleted", Text, Given), F(2, "whenScaled", Text, Given),
]);

static APPS_V1_STATEFUL_SET_SPEC: Message = Message(&[
    F(1, "replicas", Integer, Given), F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Nullable),
    F(3, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given),
    F(4, "volumeClaimTemplates", Object("v1", "PersistentVolumeClaim", &CORE_V1_PERSISTENT_VOLUME_CLAIM), List),
    F(5, "serviceName", Text, Given), F(6, "podManagementPolicy", Text, NonZero),
    F(7, "updateStrategy", Of(&APPS_V1_STATEFUL_SET_UPDATE_STRATEGY), Given),
    F(8, "revisionHistoryLimit", Integer, Given), F(9, "minReadySeconds", Integer, NonZero),
    F(10, "persistentVolumeClaimRetentionPolicy",
      Of(&APPS_V1_STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY), Given),
    F(11, "ordinals", Of(&APPS_V1_STATEFUL_SET_ORDINALS), Given),
]);

static APPS_V1_STATEFUL_SET_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, NonZero), F(2, "replicas", Integer, Given),
    F(3, "readyReplicas", Integer, NonZero), F(4, "currentReplicas", Integer, NonZero),
    F(5, "updatedReplicas", Integer, NonZero), F(6, "currentRevision", Text, NonZero),
    F(7, "updateRevision", Text, NonZero), F(9, "collisionCount", Integer, Given),
    F(10, "conditions", Of(&APPS_V1_STATEFUL_SET_CONDITION), List), F(11, "availableReplicas", Integer, Given),
]);

static APPS_V1_STATEFUL_SET_UPDATE_STRATEGY: Message = Message(&[
    F(1, "type", Text, NonZero), F(2, "rollingUpdate", Of(&APPS_V1_ROLLING_UPDATE_STATEFUL_SET_STRATEGY), Given),
]);

static AUTOSCALING_V1_CROSS_VERSION_OBJECT_REFERENCE: Message = Message(&[
    F(1, "kind", Text, Given), F(2, "name", Text, Given), F(3, "apiVersion", Text, NonZero),
]);

static AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER_SPEC), Given),
    F(3, "status", Of(&AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER_STATUS), Given),
]);

static AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER_SPEC: Message = Message(&[
    F(1, "scaleTargetRef", Of(&AUTOSCALING_V1_CROSS_VERSION_OBJECT_REFERENCE), Given),
    F(2, "minReplicas", Integer, Given), F(3, "maxReplicas", Integer, Given),
    F(4, "targetCPUUtilizationPercentage", Integer, Given),
]);

static AUTOSCALING_V1_HORIZONTAL_POD_AUTOSCALER_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, Given), F(2, "lastScaleTime", Time, Given),
    F(3, "currentReplicas", Integer, Given), F(4, "desiredReplicas", Integer, Given),
    F(5, "currentCPUUtilizationPercentage", Integer, Given),
]);

static AUTOSCALING_V2_CONTAINER_RESOURCE_METRIC_SOURCE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "target", Of(&AUTOSCALING_V2_METRIC_TARGET), Given),
    F(3, "container", Text, Given),
]);

static AUTOSCALING_V2_CONTAINER_RESOURCE_METRIC_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "current", Of(&AUTOSCALING_V2_METRIC_VALUE_STATUS), Given),
    F(3, "container", Text, Given),
]);

static AUTOSCALING_V2_CROSS_VERSION_OBJECT_REFERENCE: Message = Message(&[
    F(1, "kind", Text, Given), F(2, "name", Text, Given), F(3, "apiVersion", Text, NonZero),
]);

static AUTOSCALING_V2_EXTERNAL_METRIC_SOURCE: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2_METRIC_IDENTIFIER), Given),
    F(2, "target", Of(&AUTOSCALING_V2_METRIC_TARGET), Given),
]);

static AUTOSCALING_V2_EXTERNAL_METRIC_STATUS: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2_METRIC_IDENTIFIER), Given),
    F(2, "current", Of(&AUTOSCALING_V2_METRIC_VALUE_STATUS), Given),
]);

static AUTOSCALING_V2_HPA_SCALING_POLICY: Message = Message(&[
    F(1, "type", Text, Given), F(2, "value", Integer, Given), F(3, "periodSeconds", Integer, Given),
]);

static AUTOSCALING_V2_HPA_SCALING_RULES: Message = Message(&[
    F(3, "stabilizationWindowSeconds", Integer, Given), F(1, "selectPolicy", Text, Given),
    F(2, "policies", Of(&AUTOSCALING_V2_HPA_SCALING_POLICY), List), F(4, "tolerance", Quantity, Given),
]);

static AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_SPEC), Given),
    F(3, "status", Of(&AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_STATUS), Given),
]);

static AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_BEHAVIOR: Message = Message(&[
    F(1, "scaleUp", Of(&AUTOSCALING_V2_HPA_SCALING_RULES), Given),
    F(2, "scaleDown", Of(&AUTOSCALING_V2_HPA_SCALING_RULES), Given),
]);

static AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_SPEC: Message = Message(&[
    F(1, "scaleTargetRef", Of(&AUTOSCALING_V2_CROSS_VERSION_OBJECT_REFERENCE), Given),
    F(2, "minReplicas", Integer, Given), F(3, "maxReplicas", Integer, Given),
    F(4, "metrics", Of(&AUTOSCALING_V2_METRIC_SPEC), List),
    F(5, "behavior", Of(&AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_BEHAVIOR), Given),
]);

static AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, Given), F(2, "lastScaleTime", Time, Given),
    F(3, "currentReplicas", Integer, Given), F(4, "desiredReplicas", Integer, Given),
    F(5, "currentMetrics", Of(&AUTOSCALING_V2_METRIC_STATUS), NullableList),
    F(6, "conditions", Of(&AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER_CONDITION), List),
]);

static AUTOSCALING_V2_METRIC_IDENTIFIER: Message = Message(&[
    F(1, "name", Text, Given), F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Given),
]);

static AUTOSCALING_V2_METRIC_SPEC: Message = Message(&[
    F(1, "type", Text, Given), F(2, "object", Of(&AUTOSCALING_V2_OBJECT_METRIC_SOURCE), Given),
    F(3, "pods", Of(&AUTOSCALING_V2_PODS_METRIC_SOURCE), Given),
    F(4, "resource", Of(&AUTOSCALING_V2_RESOURCE_METRIC_SOURCE), Given),
    F(7, "containerResource", Of(&AUTOSCALING_V2_CONTAINER_RESOURCE_METRIC_SOURCE), Given),
    F(5, "external", Of(&AUTOSCALING_V2_EXTERNAL_METRIC_SOURCE), Given),
]);

static AUTOSCALING_V2_METRIC_STATUS: Message = Message(&[
    F(1, "type", Text, Given), F(2, "object", Of(&AUTOSCALING_V2_OBJECT_METRIC_STATUS), Given),
    F(3, "pods", Of(&AUTOSCALING_V2_PODS_METRIC_STATUS), Given),
    F(4, "resource", Of(&AUTOSCALING_V2_RESOURCE_METRIC_STATUS), Given),
    F(7, "containerResource", Of(&AUTOSCALING_V2_CONTAINER_RESOURCE_METRIC_STATUS), Given),
    F(5, "external", Of(&AUTOSCALING_V2_EXTERNAL_METRIC_STATUS), Given),
]);

static AUTOSCALING_V2_METRIC_TARGET: Message = Message(&[
    F(1, "type", Text, Given), F(2, "value", Quantity, Given), F(3, "averageValue", Quantity, Given),
    F(4, "averageUtilization", Integer, Given),
]);

static AUTOSCALING_V2_METRIC_VALUE_STATUS: Message = Message(&[
    F(1, "value", Quantity, Given), F(2, "averageValue", Quantity, Given), F(3, "averageUtilization", Integer, Given),
]);

static AUTOSCALING_V2_OBJECT_METRIC_SOURCE: Message = Message(&[
    F(1, "describedObject", Of(&AUTOSCALING_V2_CROSS_VERSION_OBJECT_REFERENCE), Given),
    F(2, "target", Of(&AUTOSCALING_V2_METRIC_TARGET), Given),
    F(3, "metric", Of(&AUTOSCALING_V2_METRIC_IDENTIFIER), Given),
]);

static AUTOSCALING_V2_OBJECT_METRIC_STATUS: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2_METRIC_IDENTIFIER), Given),
    F(2, "current", Of(&AUTOSCALING_V2_METRIC_VALUE_STATUS), Given),
    F(3, "describedObject", Of(&AUTOSCALING_V2_CROSS_VERSION_OBJECT_REFERENCE), Given),
]);

static AUTOSCALING_V2_PODS_METRIC_SOURCE: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2_METRIC_IDENTIFIER), Given),
    F(2, "target", Of(&AUTOSCALING_V2_METRIC_TARGET), Given),
]);

static AUTOSCALING_V2_PODS_METRIC_STATUS: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2_METRIC_IDENTIFIER), Given),
    F(2, "current", Of(&AUTOSCALING_V2_METRIC_VALUE_STATUS), Given),
]);

static AUTOSCALING_V2_RESOURCE_METRIC_SOURCE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "target", Of(&AUTOSCALING_V2_METRIC_TARGET), Given),
]);

static AUTOSCALING_V2_RESOURCE_METRIC_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "current", Of(&AUTOSCALING_V2_METRIC_VALUE_STATUS), Given),
]);

static AUTOSCALING_V2BETA2_CONTAINER_RESOURCE_METRIC_SOURCE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "target", Of(&AUTOSCALING_V2BETA2_METRIC_TARGET), Given),
    F(3, "container", Text, Given),
]);

static AUTOSCALING_V2BETA2_CONTAINER_RESOURCE_METRIC_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "current", Of(&AUTOSCALING_V2BETA2_METRIC_VALUE_STATUS), Given),
    F(3, "container", Text, Given),
]);

static AUTOSCALING_V2BETA2_CROSS_VERSION_OBJECT_REFERENCE: Message = Message(&[
    F(1, "kind", Text, Given), F(2, "name", Text, Given), F(3, "apiVersion", Text, NonZero),
]);

static AUTOSCALING_V2BETA2_EXTERNAL_METRIC_SOURCE: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2BETA2_METRIC_IDENTIFIER), Given),
    F(2, "target", Of(&AUTOSCALING_V2BETA2_METRIC_TARGET), Given),
]);

static AUTOSCALING_V2BETA2_EXTERNAL_METRIC_STATUS: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2BETA2_METRIC_IDENTIFIER), Given),
    F(2, "current", Of(&AUTOSCALING_V2BETA2_METRIC_VALUE_STATUS), Given),
]);

static AUTOSCALING_V2BETA2_HPA_SCALING_POLICY: Message = Message(&[
    F(1, "type", Text, Given), F(2, "value", Integer, Given), F(3, "periodSeconds", Integer, Given),
]);

static AUTOSCALING_V2BETA2_HPA_SCALING_RULES: Message = Message(&[
    F(3, "stabilizationWindowSeconds", Integer, Given), F(1, "selectPolicy", Text, Given),
    F(2, "policies", Of(&AUTOSCALING_V2BETA2_HPA_SCALING_POLICY), List),
]);

static AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_SPEC), Given),
    F(3, "status", Of(&AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_STATUS), Given),
]);

static AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_BEHAVIOR: Message = Message(&[
    F(1, "scaleUp", Of(&AUTOSCALING_V2BETA2_HPA_SCALING_RULES), Given),
    F(2, "scaleDown", Of(&AUTOSCALING_V2BETA2_HPA_SCALING_RULES), Given),
]);

static AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_SPEC: Message = Message(&[
    F(1, "scaleTargetRef", Of(&AUTOSCALING_V2BETA2_CROSS_VERSION_OBJECT_REFERENCE), Given),
    F(2, "minReplicas", Integer, Given), F(3, "maxReplicas", Integer, Given),
    F(4, "metrics", Of(&AUTOSCALING_V2BETA2_METRIC_SPEC), List),
    F(5, "behavior", Of(&AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_BEHAVIOR), Given),
]);

static AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, Given), F(2, "lastScaleTime", Time, Given),
    F(3, "currentReplicas", Integer, Given), F(4, "desiredReplicas", Integer, Given),
    F(5, "currentMetrics", Of(&AUTOSCALING_V2BETA2_METRIC_STATUS), NullableList),
    F(6, "conditions", Of(&AUTOSCALING_V2BETA2_HORIZONTAL_POD_AUTOSCALER_CONDITION), NullableList),
]);

static AUTOSCALING_V2BETA2_METRIC_IDENTIFIER: Message = Message(&[
    F(1, "name", Text, Given), F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Given),
]);

static AUTOSCALING_V2BETA2_METRIC_SPEC: Message = Message(&[
    F(1, "type", Text, Given), F(2, "object", Of(&AUTOSCALING_V2BETA2_OBJECT_METRIC_SOURCE), Given),
    F(3, "pods", Of(&AUTOSCALING_V2BETA2_PODS_METRIC_SOURCE), Given),
    F(4, "resource", Of(&AUTOSCALING_V2BETA2_RESOURCE_METRIC_SOURCE), Given),
    F(7, "containerResource", Of(&AUTOSCALING_V2BETA2_CONTAINER_RESOURCE_METRIC_SOURCE), Given),
    F(5, "external", Of(&AUTOSCALING_V2BETA2_EXTERNAL_METRIC_SOURCE), Given),
]);

static AUTOSCALING_V2BETA2_METRIC_STATUS: Message = Message(&[
    F(1, "type", Text, Given), F(2, "object", Of(&AUTOSCALING_V2BETA2_OBJECT_METRIC_STATUS), Given),
    F(3, "pods", Of(&AUTOSCALING_V2BETA2_PODS_METRIC_STATUS), Given),
    F(4, "resource", Of(&AUTOSCALING_V2BETA2_RESOURCE_METRIC_STATUS), Given),
    F(7, "containerResource", Of(&AUTOSCALING_V2BETA2_CONTAINER_RESOURCE_METRIC_STATUS), Given),
    F(5, "external", Of(&AUTOSCALING_V2BETA2_EXTERNAL_METRIC_STATUS), Given),
]);

static AUTOSCALING_V2BETA2_METRIC_TARGET: Message = Message(&[
    F(1, "type", Text, Given), F(2, "value", Quantity, Given), F(3, "averageValue", Quantity, Given),
    F(4, "averageUtilization", Integer, Given),
]);

static AUTOSCALING_V2BETA2_METRIC_VALUE_STATUS: Message = Message(&[
    F(1, "value", Quantity, Given), F(2, "averageValue", Quantity, Given), F(3, "averageUtilization", Integer, Given),
]);

static AUTOSCALING_V2BETA2_OBJECT_METRIC_SOURCE: Message = Message(&[
    F(1, "describedObject", Of(&AUTOSCALING_V2BETA2_CROSS_VERSION_OBJECT_REFERENCE), Given),
    F(2, "target", Of(&AUTOSCALING_V2BETA2_METRIC_TARGET), Given),
    F(3, "metric", Of(&AUTOSCALING_V2BETA2_METRIC_IDENTIFIER), Given),
]);

static AUTOSCALING_V2BETA2_OBJECT_METRIC_STATUS: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2BETA2_METRIC_IDENTIFIER), Given),
    F(2, "current", Of(&AUTOSCALING_V2BETA2_METRIC_VALUE_STATUS), Given),
    F(3, "describedObject", Of(&AUTOSCALING_V2BETA2_CROSS_VERSION_OBJECT_REFERENCE), Given),
]);

static AUTOSCALING_V2BETA2_PODS_METRIC_SOURCE: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2BETA2_METRIC_IDENTIFIER), Given),
    F(2, "target", Of(&AUTOSCALING_V2BETA2_METRIC_TARGET), Given),
]);

static AUTOSCALING_V2BETA2_PODS_METRIC_STATUS: Message = Message(&[
    F(1, "metric", Of(&AUTOSCALING_V2BETA2_METRIC_IDENTIFIER), Given),
    F(2, "current", Of(&AUTOSCALING_V2BETA2_METRIC_VALUE_STATUS), Given),
]);

static AUTOSCALING_V2BETA2_RESOURCE_METRIC_SOURCE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "target", Of(&AUTOSCALING_V2BETA2_METRIC_TARGET), Given),
]);

static AUTOSCALING_V2BETA2_RESOURCE_METRIC_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "current", Of(&AUTOSCALING_V2BETA2_METRIC_VALUE_STATUS), Given),
]);

static BATCH_V1_CRON_JOB: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&BATCH_V1_CRON_JOB_SPEC), Given),
    F(3, "status", Of(&BATCH_V1_CRON_JOB_STATUS), Given),
]);

static BATCH_V1_CRON_JOB_SPEC: Message = Message(&[
    F(1, "schedule", Text, Given), F(8, "timeZone", Text, NonZero), F(2, "startingDeadlineSeconds", Integer, Given),
    F(3, "concurrencyPolicy", Text, NonZero), F(4, "suspend", Bool, Given),
    F(5, "jobTemplate", Of(&BATCH_V1_JOB_TEMPLATE_SPEC), Given), F(6, "successfulJobsHistoryLimit", Integer, Given),
    F(7, "failedJobsHistoryLimit", Integer, Given),
]);

static BATCH_V1_CRON_JOB_STATUS: Message = Message(&[
    F(1, "active", Of(&CORE_V1_OBJECT_REFERENCE), List), F(4, "lastScheduleTime", Time, Given),
    F(5, "lastSuccessfulTime", Time, Given),
]);

static BATCH_V1_JOB: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&BATCH_V1_JOB_SPEC), Given),
    F(3, "status", Of(&BATCH_V1_JOB_STATUS), Given),
]);

static BATCH_V1_JOB_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastProbeTime", Time, Given),
    F(4, "lastTransitionTime", Time, Given), F(5, "reason", Text, NonZero), F(6, "message", Text, NonZero),
]);

static BATCH_V1_JOB_SPEC: Message = Message(&[
    F(1, "parallelism", Integer, Given), F(2, "completions", Integer, Given),
    F(3, "activeDeadlineSeconds", Integer, Given), F(11, "podFailurePolicy", Of(&BATCH_V1_POD_FAILURE_POLICY), Given),
    F(16, "successPolicy", Of(&BATCH_V1_SUCCESS_POLICY), Given), F(7, "backoffLimit", Integer, Given),
    F(12, "backoffLimitPerIndex", Integer, Given), F(13, "maxFailedIndexes", Integer, Given),
    F(4, "selector", Of(&META_V1_LABEL_SELECTOR), Given), F(5, "manualSelector", Bool, Given),
    F(6, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given), F(8, "ttlSecondsAfterFinished", Integer, Given),
    F(9, "completionMode", Text, NonZero), F(10, "suspend", Bool, Given),
    F(14, "podReplacementPolicy", Text, NonZero), F(15, "managedBy", Text, NonZero),
]);

static BATCH_V1_JOB_STATUS: Message = Message(&[
    F(1, "conditions", Of(&BATCH_V1_JOB_CONDITION), List), F(2, "startTime", Time, Given),
    F(3, "completionTime", Time, Given), F(4, "active", Integer, NonZero), F(5, "succeeded", Integer, NonZero),
    F(6, "failed", Integer, NonZero), F(11, "terminating", Integer, Given), F(7, "completedIndexes", Text, NonZero),
    F(10, "failedIndexes", Text, NonZero),
    F(8, "uncountedTerminatedPods", Of(&BATCH_V1_UNCOUNTED_TERMINATED_PODS), Given), F(9, "ready", Integer, Given),
]);

static BATCH_V1_JOB_TEMPLATE_SPEC: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&BATCH_V1_JOB_SPEC), Given),
]);

static BATCH_V1_POD_FAILURE_POLICY: Message = Message(&[
    F(1, "rules", Of(&BATCH_V1_POD_FAILURE_POLICY_RULE), List),
]);

static BATCH_V1_POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT: Message = Message(&[
    F(1, "containerName", Text, NonZero), F(2, "operator", Text, Given), F(3, "values", Integer, List),
]);

static BATCH_V1_POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, NonZero),
]);

static BATCH_V1_POD_FAILURE_POLICY_RULE: Message = Message(&[
    F(1, "action", Text, Given),
    F(2, "onExitCodes", Of(&BATCH_V1_POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT), Given),
    F(3, "onPodConditions", Of(&BATCH_V1_POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN), List),
]);

static BATCH_V1_SUCCESS_POLICY: Message = Message(&[
    F(1, "rules", Of(&BATCH_V1_SUCCESS_POLICY_RULE), List),
]);

static BATCH_V1_SUCCESS_POLICY_RULE: Message = Message(&[
    F(1, "succeededIndexes", Text, NonZero), F(2, "succeededCount", Integer, Given),
]);

static BATCH_V1_UNCOUNTED_TERMINATED_PODS: Message = Message(&[
    F(1, "succeeded", Text, List), F(2, "failed", Text, List),
]);

static BATCH_V1BETA1_CRON_JOB: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&BATCH_V1BETA1_CRON_JOB_SPEC), Given),
    F(3, "status", Of(&BATCH_V1BETA1_CRON_JOB_STATUS), Given),
]);

static BATCH_V1BETA1_CRON_JOB_SPEC: Message = Message(&[
    F(1, "schedule", Text, Given), F(8, "timeZone", Text, NonZero), F(2, "startingDeadlineSeconds", Integer, Given),
    F(3, "concurrencyPolicy", Text, NonZero), F(4, "suspend", Bool, Given),
    F(5, "jobTemplate", Of(&BATCH_V1BETA1_JOB_TEMPLATE_SPEC), Given),
    F(6, "successfulJobsHistoryLimit", Integer, Given), F(7, "failedJobsHistoryLimit", Integer, Given),
]);

static BATCH_V1BETA1_CRON_JOB_STATUS: Message = Message(&[
    F(1, "active", Of(&CORE_V1_OBJECT_REFERENCE), List), F(4, "lastScheduleTime", Time, Given),
    F(5, "lastSuccessfulTime", Time, Given),
]);

static BATCH_V1BETA1_JOB_TEMPLATE_SPEC: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&BATCH_V1_JOB_SPEC), Given),
]);

static CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST_SPEC), Given),
    F(3, "status", Of(&CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST_STATUS), Given),
]);

static CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(6, "status", Text, Given), F(2, "reason", Text, NonZero),
    F(3, "message", Text, NonZero), F(4, "lastUpdateTime", Time, Given), F(5, "lastTransitionTime", Time, Given),
]);

static CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST_SPEC: Message = Message(&[
    F(1, "request", Bytes, Nullable), F(7, "signerName", Text, Given), F(8, "expirationSeconds", Integer, Given),
    F(5, "usages", Text, List), F(2, "username", Text, NonZero), F(3, "uid", Text, NonZero),
    F(4, "groups", Text, List), F(6, "extra", Texts, Map),
]);

static CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST_STATUS: Message = Message(&[
    F(1, "conditions", Of(&CERTIFICATES_V1_CERTIFICATE_SIGNING_REQUEST_CONDITION), List),
    F(2, "certificate", Bytes, NonZero),
]);

static COORDINATION_V1_LEASE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&COORDINATION_V1_LEASE_SPEC), Given),
]);

static COORDINATION_V1_LEASE_SPEC: Message = Message(&[
    F(1, "holderIdentity", Text, Given), F(2, "leaseDurationSeconds", Integer, Given),
    F(3, "acquireTime", MicroTime, Given), F(4, "renewTime", MicroTime, Given),
    F(5, "leaseTransitions", Integer, Given), F(6, "strategy", Text, NonZero), F(7, "preferredHolder", Text, NonZero),
]);

static CORE_V1_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeID", Text, Given), F(2, "fsType", Text, NonZero), F(3, "partition", Integer, NonZero),
    F(4, "readOnly", Bool, NonZero),
]);

static CORE_V1_AFFINITY: Message = Message(&[
    F(1, "nodeAffinity", Of(&CORE_V1_NODE_AFFINITY), Given), F(2, "podAffinity", Of(&CORE_V1_POD_AFFINITY), Given),
    F(3, "podAntiAffinity", Of(&CORE_V1_POD_ANTI_AFFINITY), Given),
]);

static CORE_V1_APP_ARMOR_PROFILE: Message = Message(&[
    F(1, "type", Text, Given), F(2, "localhostProfile", Text, NonZero),
]);

static CORE_V1_ATTACHED_VOLUME: Message = Message(&[
    F(1, "name", Text, Given), F(2, "devicePath", Text, Given),
]);

static CORE_V1_AZURE_DISK_VOLUME_SOURCE: Message = Message(&[
    F(1, "diskName", Text, Given), F(2, "diskURI", Text, Given), F(3, "cachingMode", Text, Given),
    F(4, "fsType", Text, Given), F(5, "readOnly", Bool, Given), F(6, "kind", Text, Given),
]);

static CORE_V1_AZURE_FILE_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "secretName", Text, Given), F(2, "shareName", Text, Given), F(3, "readOnly", Bool, NonZero),
    F(4, "secretNamespace", Text, Nullable),
]);

static CORE_V1_AZURE_FILE_VOLUME_SOURCE: Message = Message(&[
    F(1, "secretName", Text, Given), F(2, "shareName", Text, Given), F(3, "readOnly", Bool, NonZero),
]);

static CORE_V1_CSI_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "driver", Text, Given), F(2, "volumeHandle", Text, Given), F(3, "readOnly", Bool, NonZero),
    F(4, "fsType", Text, NonZero), F(5, "volumeAttributes", Text, Map),
    F(6, "controllerPublishSecretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
    F(7, "nodeStageSecretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
    F(8, "nodePublishSecretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
    F(9, "controllerExpandSecretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
    F(10, "nodeExpandSecretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
]);

static CORE_V1_CSI_VOLUME_SOURCE: Message = Message(&[
    F(1, "driver", Text, Given), F(2, "readOnly", Bool, Given), F(3, "fsType", Text, Given),
    F(4, "volumeAttributes", Text, Map), F(5, "nodePublishSecretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given),
]);

static CORE_V1_CAPABILITIES: Message = Message(&[
    F(1, "add", Text, List), F(2, "drop", Text, List),
]);

static CORE_V1_CEPH_FS_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "monitors", Text, NullableList), F(2, "path", Text, NonZero), F(3, "user", Text, NonZero),
    F(4, "secretFile", Text, NonZero), F(5, "secretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
    F(6, "readOnly", Bool, NonZero),
]);

static CORE_V1_CEPH_FS_VOLUME_SOURCE: Message = Message(&[
    F(1, "monitors", Text, NullableList), F(2, "path", Text, NonZero), F(3, "user", Text, NonZero),
    F(4, "secretFile", Text, NonZero), F(5, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given),
    F(6, "readOnly", Bool, NonZero),
]);

static CORE_V1_CINDER_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeID", Text, Given), F(2, "fsType", Text, NonZero), F(3, "readOnly", Bool, NonZero),
    F(4, "secretRef", Of(&CORE_V1_SECRET_REFERENCE), Given),
]);

static CORE_V1_CINDER_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeID", Text, Given), F(2, "fsType", Text, NonZero), F(3, "readOnly", Bool, NonZero),
    F(4, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given),
]);

static CORE_V1_CLIENT_IP_CONFIG: Message = Message(&[
    F(1, "timeoutSeconds", Integer, Given),
]);

static CORE_V1_CLUSTER_TRUST_BUNDLE_PROJECTION: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "signerName", Text, NonZero),
    F(3, "labelSelector", Of(&META_V1_LABEL_SELECTOR), Given), F(5, "optional", Bool, Given),
    F(4, "path", Text, Given),
]);

static CORE_V1_COMPONENT_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "message", Text, NonZero),
    F(4, "error", Text, NonZero),
]);

static CORE_V1_COMPONENT_STATUS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "conditions", Of(&CORE_V1_COMPONENT_CONDITION), List),
]);

static CORE_V1_CONFIG_MAP: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(4, "immutable", Bool, Given), F(2, "data", Text, Map),
    F(3, "binaryData", Bytes, Map),
]);

static CORE_V1_CONFIG_MAP_ENV_SOURCE: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "optional", Bool, Given),
]);

static CORE_V1_CONFIG_MAP_KEY_SELECTOR: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "key", Text, Given), F(3, "optional", Bool, Given),
]);

static CORE_V1_CONFIG_MAP_NODE_CONFIG_SOURCE: Message = Message(&[
    F(1, "namespace", Text, Given), F(2, "name", Text, Given), F(3, "uid", Text, NonZero),
    F(4, "resourceVersion", Text, NonZero), F(5, "kubeletConfigKey", Text, Given),
]);

static CORE_V1_CONFIG_MAP_PROJECTION: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "items", Of(&CORE_V1_KEY_TO_PATH), List),
    F(4, "optional", Bool, Given),
]);

static CORE_V1_CONFIG_MAP_VOLUME_SOURCE: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "items", Of(&CORE_V1_KEY_TO_PATH), List),
    F(3, "defaultMode", Integer, Given), F(4, "optional", Bool, Given),
]);

static CORE_V1_CONTAINER: Message = Message(&[
    F(1, "name", Text, Given), F(2, "image", Text, NonZero), F(3, "command", Text, List), F(4, "args", Text, List),
    F(5, "workingDir", Text, NonZero), F(6, "ports", Of(&CORE_V1_CONTAINER_PORT), List),
    F(19, "envFrom", Of(&CORE_V1_ENV_FROM_SOURCE), List), F(7, "env", Of(&CORE_V1_ENV_VAR), List),
    F(8, "resources", Of(&CORE_V1_RESOURCE_REQUIREMENTS), Given),
    F(23, "resizePolicy", Of(&CORE_V1_CONTAINER_RESIZE_POLICY), List), F(24, "restartPolicy", Text, NonZero),
    F(25, "restartPolicyRules", Of(&CORE_V1_CONTAINER_RESTART_RULE), List),
    F(9, "volumeMounts", Of(&CORE_V1_VOLUME_MOUNT), List), F(21, "volumeDevices", Of(&CORE_V1_VOLUME_DEVICE), List),
    F(10, "livenessProbe", Of(&CORE_V1_PROBE), Given), F(11, "readinessProbe", Of(&CORE_V1_PROBE), Given),
    F(22, "startupProbe", Of(&CORE_V1_PROBE), Given), F(12, "lifecycle", Of(&CORE_V1_LIFECYCLE), Given),
    F(13, "terminationMessagePath", Text, NonZero), F(20, "terminationMessagePolicy", Text, NonZero),
    F(14, "imagePullPolicy", Text, NonZero), F(15, "securityContext", Of(&CORE_V1_SECURITY_CONTEXT), Given),
    F(16, "stdin", Bool, NonZero), F(17, "stdinOnce", Bool, NonZero), F(18, "tty", Bool, NonZero),
]);

static CORE_V1_CONTAINER_EXTENDED_RESOURCE_REQUEST: Message = Message(&[
    F(1, "containerName", Text, Given), F(2, "resourceName", Text, Given), F(3, "requestName", Text, Given),
]);

static CORE_V1_CONTAINER_IMAGE: Message = Message(&[
    F(1, "names", Text, List), F(2, "sizeBytes", Integer, NonZero),
]);

static CORE_V1_CONTAINER_PORT: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "hostPort", Integer, NonZero), F(3, "containerPort", Integer, Given),
    F(4, "protocol", Text, NonZero), F(5, "hostIP", Text, NonZero),
]);

static CORE_V1_CONTAINER_RESIZE_POLICY: Message = Message(&[
    F(1, "resourceName", Text, Given), F(2, "restartPolicy", Text, Given),
]);

static CORE_V1_CONTAINER_RESTART_RULE: Message = Message(&[
    F(1, "action", Text, Given), F(2, "exitCodes", Of(&CORE_V1_CONTAINER_RESTART_RULE_ON_EXIT_CODES), Given),
]);

static CORE_V1_CONTAINER_RESTART_RULE_ON_EXIT_CODES: Message = Message(&[
    F(1, "operator", Text, Given), F(2, "values", Integer, List),
]);

static CORE_V1_CONTAINER_STATE: Message = Message(&[
    F(1, "waiting", Of(&CORE_V1_CONTAINER_STATE_WAITING), Given),
    F(2, "running", Of(&CORE_V1_CONTAINER_STATE_RUNNING), Given),
    F(3, "terminated", Of(&CORE_V1_CONTAINER_STATE_TERMINATED), Given),
]);

static CORE_V1_CONTAINER_STATE_RUNNING: Message = Message(&[
    F(1, "startedAt", Time, Given),
]);

static CORE_V1_CONTAINER_STATE_TERMINATED: Message = Message(&[
    F(1, "exitCode", Integer, Given), F(2, "signal", Integer, NonZero), F(3, "reason", Text, NonZero),
    F(4, "message", Text, NonZero), F(5, "startedAt", Time, Given), F(6, "finishedAt", Time, Given),
    F(7, "containerID", Text, NonZero),
]);

static CORE_V1_CONTAINER_STATE_WAITING: Message = Message(&[
    F(1, "reason", Text, NonZero), F(2, "message", Text, NonZero),
]);

static CORE_V1_CONTAINER_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "state", Of(&CORE_V1_CONTAINER_STATE), Given),
    F(3, "lastState", Of(&CORE_V1_CONTAINER_STATE), Given), F(4, "ready", Bool, Given),
    F(5, "restartCount", Integer, Given), F(6, "image", Text, Given), F(7, "imageID", Text, Given),
    F(8, "containerID", Text, NonZero), F(9, "started", Bool, Given), F(10, "allocatedResources", Quantity, Map),
    F(11, "resources", Of(&CORE_V1_RESOURCE_REQUIREMENTS), Given),
    F(12, "volumeMounts", Of(&CORE_V1_VOLUME_MOUNT_STATUS), List), F(13, "user", Of(&CORE_V1_CONTAINER_USER), Given),
    F(14, "allocatedResourcesStatus", Of(&CORE_V1_RESOURCE_STATUS), List), F(15, "stopSignal", Text, NonZero),
]);

static CORE_V1_CONTAINER_USER: Message = Message(&[
    F(1, "linux", Of(&CORE_V1_LINUX_CONTAINER_USER), Given),
]);

static CORE_V1_DAEMON_ENDPOINT: Message = Message(&[
    F(1, "Port", Integer, Given),
]);

static CORE_V1_DOWNWARD_API_PROJECTION: Message = Message(&[
    F(1, "items", Of(&CORE_V1_DOWNWARD_API_VOLUME_FILE), List),
]);

static CORE_V1_DOWNWARD_API_VOLUME_FILE: Message = Message(&[
    F(1, "path", Text, Given), F(2, "fieldRef", Of(&CORE_V1_OBJECT_FIELD_SELECTOR), Given),
    F(3, "resourceFieldRef", Of(&CORE_V1_RESOURCE_FIELD_SELECTOR), Given), F(4, "mode", Integer, Given),
]);

static CORE_V1_DOWNWARD_API_VOLUME_SOURCE: Message = Message(&[
    F(1, "items", Of(&CORE_V1_DOWNWARD_API_VOLUME_FILE), List), F(2, "defaultMode", Integer, Given),
]);

static CORE_V1_EMPTY_DIR_VOLUME_SOURCE: Message = Message(&[
    F(1, "medium", Text, NonZero), F(2, "sizeLimit", Quantity, Given),
]);

static CORE_V1_ENDPOINT_ADDRESS: Message = Message(&[
    F(1, "ip", Text, Given), F(3, "hostname", Text, NonZero), F(4, "nodeName", Text, Given),
    F(2, "targetRef", Of(&CORE_V1_OBJECT_REFERENCE), Given),
]);

static CORE_V1_ENDPOINT_PORT: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "port", Integer, Given), F(3, "protocol", Text, NonZero),
    F(4, "appProtocol", Text, Given),
]);

static CORE_V1_ENDPOINT_SUBSET: Message = Message(&[
    F(1, "addresses", Of(&CORE_V1_ENDPOINT_ADDRESS), List),
    F(2, "notReadyAddresses", Of(&CORE_V1_ENDPOINT_ADDRESS), List), F(3, "ports", Of(&CORE_V1_ENDPOINT_PORT), List),
]);

static CORE_V1_ENDPOINTS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "subsets", Of(&CORE_V1_ENDPOINT_SUBSET), List),
]);

static CORE_V1_ENV_FROM_SOURCE: Message = Message(&[
    F(1, "prefix", Text, NonZero), F(2, "configMapRef", Of(&CORE_V1_CONFIG_MAP_ENV_SOURCE), Given),
    F(3, "secretRef", Of(&CORE_V1_SECRET_ENV_SOURCE), Given),
]);

static CORE_V1_ENV_VAR: Message = Message(&[
    F(1, "name", Text, Given), F(2, "value", Text, NonZero), F(3, "valueFrom", Of(&CORE_V1_ENV_VAR_SOURCE), Given),
]);

static CORE_V1_ENV_VAR_SOURCE: Message = Message(&[
    F(1, "fieldRef", Of(&CORE_V1_OBJECT_FIELD_SELECTOR), Given),
    F(2, "resourceFieldRef", Of(&CORE_V1_RESOURCE_FIELD_SELECTOR), Given),
    F(3, "configMapKeyRef", Of(&CORE_V1_CONFIG_MAP_KEY_SELECTOR), Given),
    F(4, "secretKeyRef", Of(&CORE_V1_SECRET_KEY_SELECTOR), Given),
    F(5, "fileKeyRef", Of(&CORE_V1_FILE_KEY_SELECTOR), Given),
]);

static CORE_V1_EPHEMERAL_CONTAINER: Message = Message(&[
    F(1, "", Of(&CORE_V1_EPHEMERAL_CONTAINER_COMMON), Inline), F(2, "targetContainerName", Text, NonZero),
]);

static CORE_V1_EPHEMERAL_CONTAINER_COMMON: Message = Message(&[
    F(1, "name", Text, Given), F(2, "image", Text, NonZero), F(3, "command", Text, List), F(4, "args", Text, List),
    F(5, "workingDir", Text, NonZero), F(6, "ports", Of(&CORE_V1_CONTAINER_PORT), List),
    F(19, "envFrom", Of(&CORE_V1_ENV_FROM_SOURCE), List), F(7, "env", Of(&CORE_V1_ENV_VAR), List),
    F(8, "resources", Of(&CORE_V1_RESOURCE_REQUIREMENTS), Given),
    F(23, "resizePolicy", Of(&CORE_V1_CONTAINER_RESIZE_POLICY), List), F(24, "restartPolicy", Text, NonZero),
    F(25, "restartPolicyRules", Of(&CORE_V1_CONTAINER_RESTART_RULE), List),
    F(9, "volumeMounts", Of(&CORE_V1_VOLUME_MOUNT), List), F(21, "volumeDevices", Of(&CORE_V1_VOLUME_DEVICE), List),
    F(10, "livenessProbe", Of(&CORE_V1_PROBE), Given), F(11, "readinessProbe", Of(&CORE_V1_PROBE), Given),
    F(22, "startupProbe", Of(&CORE_V1_PROBE), Given), F(12, "lifecycle", Of(&CORE_V1_LIFECYCLE), Given),
    F(13, "terminationMessagePath", Text, NonZero), F(20, "terminationMessagePolicy", Text, NonZero),
    F(14, "imagePullPolicy", Text, NonZero), F(15, "securityContext", Of(&CORE_V1_SECURITY_CONTEXT), Given),
    F(16, "stdin", Bool, NonZero), F(17, "stdinOnce", Bool, NonZero), F(18, "tty", Bool, NonZero),
]);

static CORE_V1_EPHEMERAL_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeClaimTemplate", Of(&CORE_V1_PERSISTENT_VOLUME_CLAIM_TEMPLATE), Given),
    F(2, "readOnly", Bool, NonZero),
]);

static CORE_V1_EVENT: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "involvedObject", Of(&CORE_V1_OBJECT_REFERENCE), Given),
    F(3, "reason", Text, NonZero), F(4, "message", Text, NonZero), F(5, "source", Of(&CORE_V1_EVENT_SOURCE), Given),
    F(6, "firstTimestamp", Time, Given), F(7, "lastTimestamp", Time, Given), F(8, "count", Integer, NonZero),
    F(9, "type", Text, NonZero), F(10, "eventTime", MicroTime, Given),
    F(11, "series", Of(&CORE_V1_EVENT_SERIES), Given), F(12, "action", Text, NonZero),
    F(13, "related", Of(&CORE_V1_OBJECT_REFERENCE), Given), F(14, "reportingComponent", Text, Given),
    F(15, "reportingInstance", Text, Given),
]);

static CORE_V1_EVENT_SERIES: Message = Message(&[
    F(1, "count", Integer, NonZero), F(2, "lastObservedTime", MicroTime, Given),
]);

static CORE_V1_EVENT_SOURCE: Message = Message(&[
    F(1, "component", Text, NonZero), F(2, "host", Text, NonZero),
]);

static CORE_V1_EXEC_ACTION: Message = Message(&[
    F(1, "command", Text, List),
]);

static CORE_V1_FC_VOLUME_SOURCE: Message = Message(&[
    F(1, "targetWWNs", Text, List), F(2, "lun", Integer, Given), F(3, "fsType", Text, NonZero),
    F(4, "readOnly", Bool, NonZero), F(5, "wwids", Text, List),
]);

static CORE_V1_FILE_KEY_SELECTOR: Message = Message(&[
    F(1, "volumeName", Text, Given), F(2, "path", Text, Given), F(3, "key", Text, Given),
    F(4, "optional", Bool, Given),
]);

static CORE_V1_FLEX_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "driver", Text, Given), F(2, "fsType", Text, NonZero),
    F(3, "secretRef", Of(&CORE_V1_SECRET_REFERENCE), Given), F(4, "readOnly", Bool, NonZero),
    F(5, "options", Text, Map),
]);

static CORE_V1_FLEX_VOLUME_SOURCE: Message = Message(&[
    F(1, "driver", Text, Given), F(2, "fsType", Text, NonZero),
    F(3, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given), F(4, "readOnly", Bool, NonZero),
    F(5, "options", Text, Map),
]);

static CORE_V1_FLOCKER_VOLUME_SOURCE: Message = Message(&[
    F(1, "datasetName", Text, NonZero), F(2, "datasetUUID", Text, NonZero),
]);

static CORE_V1_GCE_PERSISTENT_DISK_VOLUME_SOURCE: Message = Message(&[
    F(1, "pdName", Text, Given), F(2, "fsType", Text, NonZero), F(3, "partition", Integer, NonZero),
    F(4, "readOnly", Bool, NonZero),
]);

static CORE_V1_GIT_REPO_VOLUME_SOURCE: Message = Message(&[
    F(1, "repository", Text, Given), F(2, "revision", Text, NonZero), F(3, "directory", Text, NonZero),
]);

static CORE_V1_GLUSTERFS_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "endpoints", Text, Given), F(2, "path", Text, Given), F(3, "readOnly", Bool, NonZero),
    F(4, "endpointsNamespace", Text, Given),
]);

static CORE_V1_GLUSTERFS_VOLUME_SOURCE: Message = Message(&[
    F(1, "endpoints", Text, Given), F(2, "path", Text, Given), F(3, "readOnly", Bool, NonZero),
]);

static CORE_V1_GRPC_ACTION: Message = Message(&[
    F(1, "port", Integer, Given), F(2, "service", Text, NonZero),
]);

static CORE_V1_HTTP_GET_ACTION: Message = Message(&[
    F(1, "path", Text, NonZero), F(2, "port", IntOrString, Given), F(3, "host", Text, NonZero),
    F(4, "scheme", Text, NonZero), F(5, "httpHeaders", Of(&CORE_V1_HTTP_HEADER), List),
]);

static CORE_V1_HTTP_HEADER: Message = Message(&[
    F(1, "name", Text, Given), F(2, "value", Text, Given),
]);

static CORE_V1_HOST_ALIAS: Message = Message(&[
    F(1, "ip", Text, NonZero), F(2, "hostnames", Text, List),
]);

static CORE_V1_HOST_IP: Message = Message(&[
    F(1, "ip", Text, Given),
]);

static CORE_V1_HOST_PATH_VOLUME_SOURCE: Message = Message(&[
    F(1, "path", Text, Given), F(2, "type", Text, Given),
]);

static CORE_V1_ISCSI_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "targetPortal", Text, Given), F(2, "iqn", Text, Given), F(3, "lun", Integer, Given),
    F(4, "iscsiInterface", Text, NonZero), F(5, "fsType", Text, NonZero), F(6, "readOnly", Bool, NonZero),
    F(7, "portals", Text, List), F(8, "chapAuthDiscovery", Bool, NonZero), F(11, "chapAuthSession", Bool, NonZero),
    F(10, "secretRef", Of(&CORE_V1_SECRET_REFERENCE), Given), F(12, "initiatorName", Text, Given),
]);

static CORE_V1_ISCSI_VOLUME_SOURCE: Message = Message(&[
    F(1, "targetPortal", Text, Given), F(2, "iqn", Text, Given), F(3, "lun", Integer, Given),
    F(4, "iscsiInterface", Text, NonZero), F(5, "fsType", Text, NonZero), F(6, "readOnly", Bool, NonZero),
    F(7, "portals", Text, List), F(8, "chapAuthDiscovery", Bool, NonZero), F(11, "chapAuthSession", Bool, NonZero),
    F(10, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given), F(12, "initiatorName", Text, Given),
]);

static CORE_V1_IMAGE_VOLUME_SOURCE: Message = Message(&[
    F(1, "reference", Text, NonZero), F(2, "pullPolicy", Text, NonZero),
]);

static CORE_V1_KEY_TO_PATH: Message = Message(&[
    F(1, "key", Text, Given), F(2, "path", Text, Given), F(3, "mode", Integer, Given),
]);

static CORE_V1_LIFECYCLE: Message = Message(&[
    F(1, "postStart", Of(&CORE_V1_LIFECYCLE_HANDLER), Given), F(2, "preStop", Of(&CORE_V1_LIFECYCLE_HANDLER), Given),
    F(3, "stopSignal", Text, NonZero),
]);

static CORE_V1_LIFECYCLE_HANDLER: Message = Message(&[
    F(1, "exec", Of(&CORE_V1_EXEC_ACTION), Given), F(2, "httpGet", Of(&CORE_V1_HTTP_GET_ACTION), Given),
    F(3, "tcpSocket", Of(&CORE_V1_TCP_SOCKET_ACTION), Given), F(4, "sleep", Of(&CORE_V1_SLEEP_ACTION), Given),
]);

static CORE_V1_LIMIT_RANGE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_LIMIT_RANGE_SPEC), Given),
]);

static CORE_V1_LIMIT_RANGE_ITEM: Message = Message(&[
    F(1, "type", Text, Given), F(2, "max", Quantity, Map), F(3, "min", Quantity, Map), F(4, "default", Quantity, Map),
    F(5, "defaultRequest", Quantity, Map), F(6, "maxLimitRequestRatio", Quantity, Map),
]);

static CORE_V1_LIMIT_RANGE_SPEC: Message = Message(&[
    F(1, "limits", Of(&CORE_V1_LIMIT_RANGE_ITEM), NullableList),
]);

static CORE_V1_LINUX_CONTAINER_USER: Message = Message(&[
    F(1, "uid", Integer, Given), F(2, "gid", Integer, Given), F(3, "supplementalGroups", Integer, List),
]);

static CORE_V1_LOAD_BALANCER_INGRESS: Message = Message(&[
    F(1, "ip", Text, NonZero), F(2, "hostname", Text, NonZero), F(3, "ipMode", Text, NonZero),
    F(4, "ports", Of(&CORE_V1_PORT_STATUS), List),
]);

static CORE_V1_LOAD_BALANCER_STATUS: Message = Message(&[
    F(1, "ingress", Of(&CORE_V1_LOAD_BALANCER_INGRESS), List),
]);

static CORE_V1_LOCAL_OBJECT_REFERENCE: Message = Message(&[
    F(1, "name", Text, NonZero),
]);

static CORE_V1_LOCAL_VOLUME_SOURCE: Message = Message(&[
    F(1, "path", Text, Given), F(2, "fsType", Text, Given),
]);

static CORE_V1_MODIFY_VOLUME_STATUS: Message = Message(&[
    F(1, "targetVolumeAttributesClassName", Text, Given), F(2, "status", Text, Given),
]);

static CORE_V1_NFS_VOLUME_SOURCE: Message = Message(&[
    F(1, "server", Text, Given), F(2, "path", Text, Given), F(3, "readOnly", Bool, NonZero),
]);

static CORE_V1_NAMESPACE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_NAMESPACE_SPEC), Given),
    F(3, "status", Of(&CORE_V1_NAMESPACE_STATUS), Given),
]);

static CORE_V1_NAMESPACE_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(4, "lastTransitionTime", Time, Given),
    F(5, "reason", Text, NonZero), F(6, "message", Text, NonZero),
]);

static CORE_V1_NAMESPACE_SPEC: Message = Message(&[
    F(1, "finalizers", Text, List),
]);

static CORE_V1_NAMESPACE_STATUS: Message = Message(&[
    F(1, "phase", Text, NonZero), F(2, "conditions", Of(&CORE_V1_NAMESPACE_CONDITION), List),
]);

static CORE_V1_NODE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_NODE_SPEC), Given),
    F(3, "status", Of(&CORE_V1_NODE_STATUS), Given),
]);

static CORE_V1_NODE_ADDRESS: Message = Message(&[
    F(1, "type", Text, Given), F(2, "address", Text, Given),
]);

static CORE_V1_NODE_AFFINITY: Message = Message(&[
    F(1, "requiredDuringSchedulingIgnoredDuringExecution", Of(&CORE_V1_NODE_SELECTOR), Given),
    F(2, "preferredDuringSchedulingIgnoredDuringExecution", Of(&CORE_V1_PREFERRED_SCHEDULING_TERM), List),
]);

static CORE_V1_NODE_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastHeartbeatTime", Time, Given),
    F(4, "lastTransitionTime", Time, Given), F(5, "reason", Text, NonZero), F(6, "message", Text, NonZero),
]);

static CORE_V1_NODE_CONFIG_SOURCE: Message = Message(&[
    F(2, "configMap", Of(&CORE_V1_CONFIG_MAP_NODE_CONFIG_SOURCE), Given),
]);

static CORE_V1_NODE_CONFIG_STATUS: Message = Message(&[
    F(1, "assigned", Of(&CORE_V1_NODE_CONFIG_SOURCE), Given), F(2, "active", Of(&CORE_V1_NODE_CONFIG_SOURCE), Given),
    F(3, "lastKnownGood", Of(&CORE_V1_NODE_CONFIG_SOURCE), Given), F(4, "error", Text, NonZero),
]);

static CORE_V1_NODE_DAEMON_ENDPOINTS: Message = Message(&[
    F(1, "kubeletEndpoint", Of(&CORE_V1_DAEMON_ENDPOINT), Given),
]);

static CORE_V1_NODE_FEATURES: Message = Message(&[
    F(1, "supplementalGroupsPolicy", Bool, Given),
]);

static CORE_V1_NODE_RUNTIME_HANDLER: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "features", Of(&CORE_V1_NODE_RUNTIME_HANDLER_FEATURES), Given),
]);

static CORE_V1_NODE_RUNTIME_HANDLER_FEATURES: Message = Message(&[
    F(1, "recursiveReadOnlyMounts", Bool, Given), F(2, "userNamespaces", Bool, Given),
]);

static CORE_V1_NODE_SELECTOR: Message = Message(&[
    F(1, "nodeSelectorTerms", Of(&CORE_V1_NODE_SELECTOR_TERM), NullableList),
]);

static CORE_V1_NODE_SELECTOR_REQUIREMENT: Message = Message(&[
    F(1, "key", Text, Given), F(2, "operator", Text, Given), F(3, "values", Text, List),
]);

static CORE_V1_NODE_SELECTOR_TERM: Message = Message(&[
    F(1, "matchExpressions", Of(&CORE_V1_NODE_SELECTOR_REQUIREMENT), List),
    F(2, "matchFields", Of(&CORE_V1_NODE_SELECTOR_REQUIREMENT), List),
]);

static CORE_V1_NODE_SPEC: Message = Message(&[
    F(1, "podCIDR", Text, NonZero), F(7, "podCIDRs", Text, List), F(3, "providerID", Text, NonZero),
    F(4, "unschedulable", Bool, NonZero), F(5, "taints", Of(&CORE_V1_TAINT), List),
    F(6, "configSource", Of(&CORE_V1_NODE_CONFIG_SOURCE), Given), F(2, "externalID", Text, NonZero),
]);

static CORE_V1_NODE_STATUS: Message = Message(&[
    F(1, "capacity", Quantity, Map), F(2, "allocatable", Quantity, Map), F(3, "phase", Text, NonZero),
    F(4, "conditions", Of(&CORE_V1_NODE_CONDITION), List), F(5, "addresses", Of(&CORE_V1_NODE_ADDRESS), List),
    F(6, "daemonEndpoints", Of(&CORE_V1_NODE_DAEMON_ENDPOINTS), Given),
    F(7, "nodeInfo", Of(&CORE_V1_NODE_SYSTEM_INFO), Given), F(8, "images", Of(&CORE_V1_CONTAINER_IMAGE), List),
    F(9, "volumesInUse", Text, List), F(10, "volumesAttached", Of(&CORE_V1_ATTACHED_VOLUME), List),
    F(11, "config", Of(&CORE_V1_NODE_CONFIG_STATUS), Given),
    F(12, "runtimeHandlers", Of(&CORE_V1_NODE_RUNTIME_HANDLER), List),
    F(13, "features", Of(&CORE_V1_NODE_FEATURES), Given), F(14, "declaredFeatures", Text, List),
]);

static CORE_V1_NODE_SWAP_STATUS: Message = Message(&[
    F(1, "capacity", Integer, Given),
]);

static CORE_V1_NODE_SYSTEM_INFO: Message = Message(&[
    F(1, "machineID", Text, Given), F(2, "systemUUID", Text, Given), F(3, "bootID", Text, Given),
    F(4, "kernelVersion", Text, Given), F(5, "osImage", Text, Given), F(6, "containerRuntimeVersion", Text, Given),
    F(7, "kubeletVersion", Text, Given), F(8, "kubeProxyVersion", Text, Given), F(9, "operatingSystem", Text, Given),
    F(10, "architecture", Text, Given), F(11, "swap", Of(&CORE_V1_NODE_SWAP_STATUS), Given),
]);

static CORE_V1_OBJECT_FIELD_SELECTOR: Message = Message(&[
    F(1, "apiVersion", Text, NonZero), F(2, "fieldPath", Text, Given),
]);

static CORE_V1_OBJECT_REFERENCE: Message = Message(&[
    F(1, "kind", Text, NonZero), F(2, "namespace", Text, NonZero), F(3, "name", Text, NonZero),
    F(4, "uid", Text, NonZero), F(5, "apiVersion", Text, NonZero), F(6, "resourceVersion", Text, NonZero),
    F(7, "fieldPath", Text, NonZero),
]);

static CORE_V1_PERSISTENT_VOLUME: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_PERSISTENT_VOLUME_SPEC), Given),
    F(3, "status", Of(&CORE_V1_PERSISTENT_VOLUME_STATUS), Given),
]);

static CORE_V1_PERSISTENT_VOLUME_CLAIM: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_PERSISTENT_VOLUME_CLAIM_SPEC), Given),
    F(3, "status", Of(&CORE_V1_PERSISTENT_VOLUME_CLAIM_STATUS), Given),
]);

static CORE_V1_PERSISTENT_VOLUME_CLAIM_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastProbeTime", Time, Given),
    F(4, "lastTransitionTime", Time, Given), F(5, "reason", Text, NonZero), F(6, "message", Text, NonZero),
]);

static CORE_V1_PERSISTENT_VOLUME_CLAIM_SPEC: Message = Message(&[
    F(1, "accessModes", Text, List), F(4, "selector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(2, "resources", Of(&CORE_V1_VOLUME_RESOURCE_REQUIREMENTS), Given), F(3, "volumeName", Text, NonZero),
    F(5, "storageClassName", Text, Given), F(6, "volumeMode", Text, Given),
    F(7, "dataSource", Of(&CORE_V1_TYPED_LOCAL_OBJECT_REFERENCE), Given),
    F(8, "dataSourceRef", Of(&CORE_V1_TYPED_OBJECT_REFERENCE), Given),
    F(9, "volumeAttributesClassName", Text, NonZero),
]);

static CORE_V1_PERSISTENT_VOLUME_CLAIM_STATUS: Message = Message(&[
    F(1, "phase", Text, NonZero), F(2, "accessModes", Text, List), F(3, "capacity", Quantity, Map),
    F(4, "conditions", Of(&CORE_V1_PERSISTENT_VOLUME_CLAIM_CONDITION), List),
    F(5, "allocatedResources", Quantity, Map), F(7, "allocatedResourceStatuses", Text, Map),
    F(8, "currentVolumeAttributesClassName", Text, NonZero),
    F(9, "modifyVolumeStatus", Of(&CORE_V1_MODIFY_VOLUME_STATUS), Given),
]);

static CORE_V1_PERSISTENT_VOLUME_CLAIM_TEMPLATE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_PERSISTENT_VOLUME_CLAIM_SPEC), Given),
]);

static CORE_V1_PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: Message = Message(&[
    F(1, "claimName", Text, Given), F(2, "readOnly", Bool, NonZero),
]);

static CORE_V1_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "gcePersistentDisk", Of(&CORE_V1_GCE_PERSISTENT_DISK_VOLUME_SOURCE), Given),
    F(2, "awsElasticBlockStore", Of(&CORE_V1_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE), Given),
    F(3, "hostPath", Of(&CORE_V1_HOST_PATH_VOLUME_SOURCE), Given),
    F(4, "glusterfs", Of(&CORE_V1_GLUSTERFS_PERSISTENT_VOLUME_SOURCE), Given),
    F(5, "nfs", Of(&CORE_V1_NFS_VOLUME_SOURCE), Given), F(6, "rbd", Of(&CORE_V1_RBD_PERSISTENT_VOLUME_SOURCE), Given),
    F(7, "iscsi", Of(&CORE_V1_ISCSI_PERSISTENT_VOLUME_SOURCE), Given),
    F(8, "cinder", Of(&CORE_V1_CINDER_PERSISTENT_VOLUME_SOURCE), Given),
    F(9, "cephfs", Of(&CORE_V1_CEPH_FS_PERSISTENT_VOLUME_SOURCE), Given),
    F(10, "fc", Of(&CORE_V1_FC_VOLUME_SOURCE), Given), F(11, "flocker", Of(&CORE_V1_FLOCKER_VOLUME_SOURCE), Given),
    F(12, "flexVolume", Of(&CORE_V1_FLEX_PERSISTENT_VOLUME_SOURCE), Given),
    F(13, "azureFile", Of(&CORE_V1_AZURE_FILE_PERSISTENT_VOLUME_SOURCE), Given),
    F(14, "vsphereVolume", Of(&CORE_V1_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE), Given),
    F(15, "quobyte", Of(&CORE_V1_QUOBYTE_VOLUME_SOURCE), Given),
    F(16, "azureDisk", Of(&CORE_V1_AZURE_DISK_VOLUME_SOURCE), Given),
    F(17, "photonPersistentDisk", Of(&CORE_V1_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE), Given),
    F(18, "portworxVolume", Of(&CORE_V1_PORTWORX_VOLUME_SOURCE), Given),
    F(19, "scaleIO", Of(&CORE_V1_SCALE_IO_PERSISTENT_VOLUME_SOURCE), Given),
    F(20, "local", Of(&CORE_V1_LOCAL_VOLUME_SOURCE), Given),
    F(21, "storageos", Of(&CORE_V1_STORAGE_OS_PERSISTENT_VOLUME_SOURCE), Given),
    F(22, "csi", Of(&CORE_V1_CSI_PERSISTENT_VOLUME_SOURCE), Given),
]);

static CORE_V1_PERSISTENT_VOLUME_SPEC: Message = Message(&[
    F(1, "capacity", Quantity, Map), F(2, "", Of(&CORE_V1_PERSISTENT_VOLUME_SOURCE), Inline),
    F(3, "accessModes", Text, List), F(4, "claimRef", Of(&CORE_V1_OBJECT_REFERENCE), Given),
    F(5, "persistentVolumeReclaimPolicy", Text, NonZero), F(6, "storageClassName", Text, NonZero),
    F(7, "mountOptions", Text, List), F(8, "volumeMode", Text, Given),
    F(9, "nodeAffinity", Of(&CORE_V1_VOLUME_NODE_AFFINITY), Given), F(10, "volumeAttributesClassName", Text, NonZero),
]);

static CORE_V1_PERSISTENT_VOLUME_STATUS: Message = Message(&[
    F(1, "phase", Text, NonZero), F(2, "message", Text, NonZero), F(3, "reason", Text, NonZero),
    F(4, "lastPhaseTransitionTime", Time, Given),
]);

static CORE_V1_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: Message = Message(&[
    F(1, "pdID", Text, Given), F(2, "fsType", Text, NonZero),
]);

static CORE_V1_POD: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_POD_SPEC), Given),
    F(3, "status", Of(&CORE_V1_POD_STATUS), Given),
]);

static CORE_V1_POD_AFFINITY: Message = Message(&[
    F(1, "requiredDuringSchedulingIgnoredDuringExecution", Of(&CORE_V1_POD_AFFINITY_TERM), List),
    F(2, "preferredDuringSchedulingIgnoredDuringExecution", Of(&CORE_V1_WEIGHTED_POD_AFFINITY_TERM), List),
]);

static CORE_V1_POD_AFFINITY_TERM: Message = Message(&[
    F(1, "labelSelector", Of(&META_V1_LABEL_SELECTOR), Given), F(2, "namespaces", Text, List),
    F(3, "topologyKey", Text, Given), F(4, "namespaceSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(5, "matchLabelKeys", Text, List), F(6, "mismatchLabelKeys", Text, List),
]);

static CORE_V1_POD_ANTI_AFFINITY: Message = Message(&[
    F(1, "requiredDuringSchedulingIgnoredDuringExecution", Of(&CORE_V1_POD_AFFINITY_TERM), List),
    F(2, "preferredDuringSchedulingIgnoredDuringExecution", Of(&CORE_V1_WEIGHTED_POD_AFFINITY_TERM), List),
]);

static CORE_V1_POD_CERTIFICATE_PROJECTION: Message = Message(&[
    F(1, "signerName", Text, Given), F(2, "keyType", Text, Given), F(3, "maxExpirationSeconds", Integer, Given),
    F(4, "credentialBundlePath", Text, NonZero), F(5, "keyPath", Text, NonZero),
    F(6, "certificateChainPath", Text, NonZero), F(7, "userAnnotations", Text, Map),
]);

static CORE_V1_POD_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(7, "observedGeneration", Integer, NonZero), F(2, "status", Text, Given),
    F(3, "lastProbeTime", Time, Given), F(4, "lastTransitionTime", Time, Given), F(5, "reason", Text, NonZero),
    F(6, "message", Text, NonZero),
]);

static CORE_V1_POD_DNS_CONFIG: Message = Message(&[
    F(1, "nameservers", Text, List), F(2, "searches", Text, List),
    F(3, "options", Of(&CORE_V1_POD_DNS_CONFIG_OPTION), List),
]);

static CORE_V1_POD_DNS_CONFIG_OPTION: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "value", Text, Given),
]);

static CORE_V1_POD_EXTENDED_RESOURCE_CLAIM_STATUS: Message = Message(&[
    F(1, "requestMappings", Of(&CORE_V1_CONTAINER_EXTENDED_RESOURCE_REQUEST), List),
    F(2, "resourceClaimName", Text, Given),
]);

static CORE_V1_POD_IP: Message = Message(&[
    F(1, "ip", Text, NonZero),
]);

static CORE_V1_POD_OS: Message = Message(&[
    F(1, "name", Text, Given),
]);

static CORE_V1_POD_READINESS_GATE: Message = Message(&[
    F(1, "conditionType", Text, Given),
]);

static CORE_V1_POD_RESOURCE_CLAIM: Message = Message(&[
    F(1, "name", Text, Given), F(3, "resourceClaimName", Text, Given), F(4, "resourceClaimTemplateName", Text, Given),
]);

static CORE_V1_POD_RESOURCE_CLAIM_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "resourceClaimName", Text, NonZero),
]);

static CORE_V1_POD_SCHEDULING_GATE: Message = Message(&[
    F(1, "name", Text, Given),
]);

static CORE_V1_POD_SECURITY_CONTEXT: Message = Message(&[
    F(1, "seLinuxOptions", Of(&CORE_V1_SE_LINUX_OPTIONS), Given),
    F(8, "windowsOptions", Of(&CORE_V1_WINDOWS_SECURITY_CONTEXT_OPTIONS), Given), F(2, "runAsUser", Integer, Given),
    F(6, "runAsGroup", Integer, Given), F(3, "runAsNonRoot", Bool, Given), F(4, "supplementalGroups", Integer, List),
    F(12, "supplementalGroupsPolicy", Text, NonZero), F(5, "fsGroup", Integer, Given),
    F(7, "sysctls", Of(&CORE_V1_SYSCTL), List), F(9, "fsGroupChangePolicy", Text, Given),
    F(10, "seccompProfile", Of(&CORE_V1_SECCOMP_PROFILE), Given),
    F(11, "appArmorProfile", Of(&CORE_V1_APP_ARMOR_PROFILE), Given), F(13, "seLinuxChangePolicy", Text, NonZero),
]);

static CORE_V1_POD_SPEC: Message = Message(&[
    F(1, "volumes", Of(&CORE_V1_VOLUME), List), F(20, "initContainers", Of(&CORE_V1_CONTAINER), List),
    F(2, "containers", Of(&CORE_V1_CONTAINER), NullableList),
    F(34, "ephemeralContainers", Of(&CORE_V1_EPHEMERAL_CONTAINER), List), F(3, "restartPolicy", Text, NonZero),
    F(4, "terminationGracePeriodSeconds", Integer, Given), F(5, "activeDeadlineSeconds", Integer, Given),
    F(6, "dnsPolicy", Text, NonZero), F(7, "nodeSelector", Text, Map), F(8, "serviceAccountName", Text, NonZero),
    F(9, "serviceAccount", Text, NonZero), F(21, "automountServiceAccountToken", Bool, Given),
    F(10, "nodeName", Text, NonZero), F(11, "hostNetwork", Bool, NonZero), F(12, "hostPID", Bool, NonZero),
    F(13, "hostIPC", Bool, NonZero), F(27, "shareProcessNamespace", Bool, Given),
    F(14, "securityContext", Of(&CORE_V1_POD_SECURITY_CONTEXT), Given),
    F(15, "imagePullSecrets", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), List), F(16, "hostname", Text, NonZero),
    F(17, "subdomain", Text, NonZero), F(18, "affinity", Of(&CORE_V1_AFFINITY), Given),
    F(19, "schedulerName", Text, NonZero), F(22, "tolerations", Of(&CORE_V1_TOLERATION), List),
    F(23, "hostAliases", Of(&CORE_V1_HOST_ALIAS), List), F(24, "priorityClassName", Text, NonZero),
    F(25, "priority", Integer, Given), F(26, "dnsConfig", Of(&CORE_V1_POD_DNS_CONFIG), Given),
    F(28, "readinessGates", Of(&CORE_V1_POD_READINESS_GATE), List), F(29, "runtimeClassName", Text, Given),
    F(30, "enableServiceLinks", Bool, Given), F(31, "preemptionPolicy", Text, Given),
    F(32, "overhead", Quantity, Map),
    F(33, "topologySpreadConstraints", Of(&CORE_V1_TOPOLOGY_SPREAD_CONSTRAINT), List),
    F(35, "setHostnameAsFQDN", Bool, Given), F(36, "os", Of(&CORE_V1_POD_OS), Given), F(37, "hostUsers", Bool, Given),
    F(38, "schedulingGates", Of(&CORE_V1_POD_SCHEDULING_GATE), List),
    F(39, "resourceClaims", Of(&CORE_V1_POD_RESOURCE_CLAIM), List),
    F(40, "resources", Of(&CORE_V1_RESOURCE_REQUIREMENTS), Given), F(41, "hostnameOverride", Text, NonZero),
    F(42, "workloadRef", Of(&CORE_V1_WORKLOAD_REFERENCE), Given),
]);

static CORE_V1_POD_STATUS: Message = Message(&[
    F(17, "observedGeneration", Integer, NonZero), F(1, "phase", Text, NonZero),
    F(2, "conditions", Of(&CORE_V1_POD_CONDITION), List), F(3, "message", Text, NonZero),
    F(4, "reason", Text, NonZero), F(11, "nominatedNodeName", Text, NonZero), F(5, "hostIP", Text, NonZero),
    F(16, "hostIPs", Of(&CORE_V1_HOST_IP), List), F(6, "podIP", Text, NonZero),
    F(12, "podIPs", Of(&CORE_V1_POD_IP), List), F(7, "startTime", Time, Given),
    F(10, "initContainerStatuses", Of(&CORE_V1_CONTAINER_STATUS), List),
    F(8, "containerStatuses", Of(&CORE_V1_CONTAINER_STATUS), List), F(9, "qosClass", Text, NonZero),
    F(13, "ephemeralContainerStatuses", Of(&CORE_V1_CONTAINER_STATUS), List), F(14, "resize", Text, NonZero),
    F(15, "resourceClaimStatuses", Of(&CORE_V1_POD_RESOURCE_CLAIM_STATUS), List),
    F(18, "extendedResourceClaimStatus", Of(&CORE_V1_POD_EXTENDED_RESOURCE_CLAIM_STATUS), Given),
    F(19, "allocatedResources", Quantity, Map), F(20, "resources", Of(&CORE_V1_RESOURCE_REQUIREMENTS), Given),
]);

static CORE_V1_POD_TEMPLATE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given),
]);

static CORE_V1_POD_TEMPLATE_SPEC: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_POD_SPEC), Given),
]);

static CORE_V1_PORT_STATUS: Message = Message(&[
    F(1, "port", Integer, Given), F(2, "protocol", Text, Given), F(3, "error", Text, Given),
]);

static CORE_V1_PORTWORX_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeID", Text, Given), F(2, "fsType", Text, NonZero), F(3, "readOnly", Bool, NonZero),
]);

static CORE_V1_PREFERRED_SCHEDULING_TERM: Message = Message(&[
    F(1, "weight", Integer, Given), F(2, "preference", Of(&CORE_V1_NODE_SELECTOR_TERM), Given),
]);

static CORE_V1_PROBE: Message = Message(&[
    F(1, "", Of(&CORE_V1_PROBE_HANDLER), Inline), F(2, "initialDelaySeconds", Integer, NonZero),
    F(3, "timeoutSeconds", Integer, NonZero), F(4, "periodSeconds", Integer, NonZero),
    F(5, "successThreshold", Integer, NonZero), F(6, "failureThreshold", Integer, NonZero),
    F(7, "terminationGracePeriodSeconds", Integer, Given),
]);

static CORE_V1_PROBE_HANDLER: Message = Message(&[
    F(1, "exec", Of(&CORE_V1_EXEC_ACTION), Given), F(2, "httpGet", Of(&CORE_V1_HTTP_GET_ACTION), Given),
    F(3, "tcpSocket", Of(&CORE_V1_TCP_SOCKET_ACTION), Given), F(4, "grpc", Of(&CORE_V1_GRPC_ACTION), Given),
]);

static CORE_V1_PROJECTED_VOLUME_SOURCE: Message = Message(&[
    F(1, "sources", Of(&CORE_V1_VOLUME_PROJECTION), NullableList), F(2, "defaultMode", Integer, Given),
]);

static CORE_V1_QUOBYTE_VOLUME_SOURCE: Message = Message(&[
    F(1, "registry", Text, Given), F(2, "volume", Text, Given), F(3, "readOnly", Bool, NonZero),
    F(4, "user", Text, NonZero), F(5, "group", Text, NonZero), F(6, "tenant", Text, NonZero),
]);

static CORE_V1_RBD_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "monitors", Text, NullableList), F(2, "image", Text, Given), F(3, "fsType", Text, NonZero),
    F(4, "pool", Text, NonZero), F(5, "user", Text, NonZero), F(6, "keyring", Text, NonZero),
    F(7, "secretRef", Of(&CORE_V1_SECRET_REFERENCE), Given), F(8, "readOnly", Bool, NonZero),
]);

static CORE_V1_RBD_VOLUME_SOURCE: Message = Message(&[
    F(1, "monitors", Text, NullableList), F(2, "image", Text, Given), F(3, "fsType", Text, NonZero),
    F(4, "pool", Text, NonZero), F(5, "user", Text, NonZero), F(6, "keyring", Text, NonZero),
    F(7, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given), F(8, "readOnly", Bool, NonZero),
]);

static CORE_V1_REPLICATION_CONTROLLER: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_REPLICATION_CONTROLLER_SPEC), Given),
    F(3, "status", Of(&CORE_V1_REPLICATION_CONTROLLER_STATUS), Given),
]);

static CORE_V1_REPLICATION_CONTROLLER_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static CORE_V1_REPLICATION_CONTROLLER_SPEC: Message = Message(&[
    F(1, "replicas", Integer, Given), F(4, "minReadySeconds", Integer, NonZero), F(2, "selector", Text, Map),
    F(3, "template", Of(&CORE_V1_POD_TEMPLATE_SPEC), Given),
]);

static CORE_V1_REPLICATION_CONTROLLER_STATUS: Message = Message(&[
    F(1, "replicas", Integer, Given), F(2, "fullyLabeledReplicas", Integer, NonZero),
    F(4, "readyReplicas", Integer, NonZero), F(5, "availableReplicas", Integer, NonZero),
    F(3, "observedGeneration", Integer, NonZero),
    F(6, "conditions", Of(&CORE_V1_REPLICATION_CONTROLLER_CONDITION), List),
]);

static CORE_V1_RESOURCE_CLAIM: Message = Message(&[
    F(1, "name", Text, Given), F(2, "request", Text, NonZero),
]);

static CORE_V1_RESOURCE_FIELD_SELECTOR: Message = Message(&[
    F(1, "containerName", Text, NonZero), F(2, "resource", Text, Given), F(3, "divisor", Quantity, Given),
]);

static CORE_V1_RESOURCE_HEALTH: Message = Message(&[
    F(1, "resourceID", Text, Given), F(2, "health", Text, Given),
]);

static CORE_V1_RESOURCE_QUOTA: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_RESOURCE_QUOTA_SPEC), Given),
    F(3, "status", Of(&CORE_V1_RESOURCE_QUOTA_STATUS), Given),
]);

static CORE_V1_RESOURCE_QUOTA_SPEC: Message = Message(&[
    F(1, "hard", Quantity, Map), F(2, "scopes", Text, List),
    F(3, "scopeSelector", Of(&CORE_V1_SCOPE_SELECTOR), Given),
]);

static CORE_V1_RESOURCE_QUOTA_STATUS: Message = Message(&[
    F(1, "hard", Quantity, Map), F(2, "used", Quantity, Map),
]);

static CORE_V1_RESOURCE_REQUIREMENTS: Message = Message(&[
    F(1, "limits", Quantity, Map), F(2, "requests", Quantity, Map), F(3, "claims", Of(&CORE_V1_RESOURCE_CLAIM), List),
]);

static CORE_V1_RESOURCE_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "resources", Of(&CORE_V1_RESOURCE_HEALTH), List),
]);

static CORE_V1_SE_LINUX_OPTIONS: Message = Message(&[
    F(1, "user", Text, NonZero), F(2, "role", Text, NonZero), F(3, "type", Text, NonZero),
    F(4, "level", Text, NonZero),
]);

static CORE_V1_SCALE_IO_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "gateway", Text, Given), F(2, "system", Text, Given),
    F(3, "secretRef", Of(&CORE_V1_SECRET_REFERENCE), Nullable), F(4, "sslEnabled", Bool, NonZero),
    F(5, "protectionDomain", Text, NonZero), F(6, "storagePool", Text, NonZero), F(7, "storageMode", Text, NonZero),
    F(8, "volumeName", Text, NonZero), F(9, "fsType", Text, NonZero), F(10, "readOnly", Bool, NonZero),
]);

static CORE_V1_SCALE_IO_VOLUME_SOURCE: Message = Message(&[
    F(1, "gateway", Text, Given), F(2, "system", Text, Given),
    F(3, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Nullable), F(4, "sslEnabled", Bool, NonZero),
    F(5, "protectionDomain", Text, NonZero), F(6, "storagePool", Text, NonZero), F(7, "storageMode", Text, NonZero),
    F(8, "volumeName", Text, NonZero), F(9, "fsType", Text, NonZero), F(10, "readOnly", Bool, NonZero),
]);

static CORE_V1_SCOPE_SELECTOR: Message = Message(&[
    F(1, "matchExpressions", Of(&CORE_V1_SCOPED_RESOURCE_SELECTOR_REQUIREMENT), List),
]);

static CORE_V1_SCOPED_RESOURCE_SELECTOR_REQUIREMENT: Message = Message(&[
    F(1, "scopeName", Text, Given), F(2, "operator", Text, Given), F(3, "values", Text, List),
]);

static CORE_V1_SECCOMP_PROFILE: Message = Message(&[
    F(1, "type", Text, Given), F(2, "localhostProfile", Text, Given),
]);

static CORE_V1_SECRET: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(5, "immutable", Bool, Given), F(2, "data", Bytes, Map),
    F(4, "stringData", Text, Map), F(3, "type", Text, NonZero),
]);

static CORE_V1_SECRET_ENV_SOURCE: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "optional", Bool, Given),
]);

static CORE_V1_SECRET_KEY_SELECTOR: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "key", Text, Given), F(3, "optional", Bool, Given),
]);

static CORE_V1_SECRET_PROJECTION: Message = Message(&[
    F(1, "", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Inline), F(2, "items", Of(&CORE_V1_KEY_TO_PATH), List),
    F(4, "optional", Bool, Given),
]);

static CORE_V1_SECRET_REFERENCE: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "namespace", Text, NonZero),
]);

static CORE_V1_SECRET_VOLUME_SOURCE: Message = Message(&[
    F(1, "secretName", Text, NonZero), F(2, "items", Of(&CORE_V1_KEY_TO_PATH), List),
    F(3, "defaultMode", Integer, Given), F(4, "optional", Bool, Given),
]);

static CORE_V1_SECURITY_CONTEXT: Message = Message(&[
    F(1, "capabilities", Of(&CORE_V1_CAPABILITIES), Given), F(2, "privileged", Bool, Given),
    F(3, "seLinuxOptions", Of(&CORE_V1_SE_LINUX_OPTIONS), Given),
    F(10, "windowsOptions", Of(&CORE_V1_WINDOWS_SECURITY_CONTEXT_OPTIONS), Given), F(4, "runAsUser", Integer, Given),
    F(8, "runAsGroup", Integer, Given), F(5, "runAsNonRoot", Bool, Given),
    F(6, "readOnlyRootFilesystem", Bool, Given), F(7, "allowPrivilegeEscalation", Bool, Given),
    F(9, "procMount", Text, Given), F(11, "seccompProfile", Of(&CORE_V1_SECCOMP_PROFILE), Given),
    F(12, "appArmorProfile", Of(&CORE_V1_APP_ARMOR_PROFILE), Given),
]);

static CORE_V1_SERVICE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&CORE_V1_SERVICE_SPEC), Given),
    F(3, "status", Of(&CORE_V1_SERVICE_STATUS), Given),
]);

static CORE_V1_SERVICE_ACCOUNT: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "secrets", Of(&CORE_V1_OBJECT_REFERENCE), List),
    F(3, "imagePullSecrets", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), List),
    F(4, "automountServiceAccountToken", Bool, Given),
]);

static CORE_V1_SERVICE_ACCOUNT_TOKEN_PROJECTION: Message = Message(&[
    F(1, "audience", Text, NonZero), F(2, "expirationSeconds", Integer, Given), F(3, "path", Text, Given),
]);

static CORE_V1_SERVICE_PORT: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "protocol", Text, NonZero), F(6, "appProtocol", Text, Given),
    F(3, "port", Integer, Given), F(4, "targetPort", IntOrString, Given), F(5, "nodePort", Integer, NonZero),
]);

static CORE_V1_SERVICE_SPEC: Message = Message(&[
    F(1, "ports", Of(&CORE_V1_SERVICE_PORT), List), F(2, "selector", Text, Map), F(3, "clusterIP", Text, NonZero),
    F(18, "clusterIPs", Text, List), F(4, "type", Text, NonZero), F(5, "externalIPs", Text, List),
    F(7, "sessionAffinity", Text, NonZero), F(8, "loadBalancerIP", Text, NonZero),
    F(9, "loadBalancerSourceRanges", Text, List), F(10, "externalName", Text, NonZero),
    F(11, "externalTrafficPolicy", Text, NonZero), F(12, "healthCheckNodePort", Integer, NonZero),
    F(13, "publishNotReadyAddresses", Bool, NonZero),
    F(14, "sessionAffinityConfig", Of(&CORE_V1_SESSION_AFFINITY_CONFIG), Given), F(19, "ipFamilies", Text, List),
    F(17, "ipFamilyPolicy", Text, Given), F(20, "allocateLoadBalancerNodePorts", Bool, Given),
    F(21, "loadBalancerClass", Text, NonZero), F(22, "internalTrafficPolicy", Text, NonZero),
    F(23, "trafficDistribution", Text, NonZero), F(16, "topologyKeys", Text, List),
]);

static CORE_V1_SERVICE_STATUS: Message = Message(&[
    F(1, "loadBalancer", Of(&CORE_V1_LOAD_BALANCER_STATUS), Given), F(2, "conditions", Of(&META_V1_CONDITION), List),
]);

static CORE_V1_SESSION_AFFINITY_CONFIG: Message = Message(&[
    F(1, "clientIP", Of(&CORE_V1_CLIENT_IP_CONFIG), Given),
]);

static CORE_V1_SLEEP_ACTION: Message = Message(&[
    F(1, "seconds", Integer, Given),
]);

static CORE_V1_STORAGE_OS_PERSISTENT_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeName", Text, NonZero), F(2, "volumeNamespace", Text, NonZero), F(3, "fsType", Text, NonZero),
    F(4, "readOnly", Bool, NonZero), F(5, "secretRef", Of(&CORE_V1_OBJECT_REFERENCE), Given),
]);

static CORE_V1_STORAGE_OS_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumeName", Text, NonZero), F(2, "volumeNamespace", Text, NonZero), F(3, "fsType", Text, NonZero),
    F(4, "readOnly", Bool, NonZero), F(5, "secretRef", Of(&CORE_V1_LOCAL_OBJECT_REFERENCE), Given),
]);

static CORE_V1_SYSCTL: Message = Message(&[
    F(1, "name", Text, Given), F(2, "value", Text, Given),
]);

static CORE_V1_TCP_SOCKET_ACTION: Message = Message(&[
    F(1, "port", IntOrString, Given), F(2, "host", Text, NonZero),
]);

static CORE_V1_TAINT: Message = Message(&[
    F(1, "key", Text, Given), F(2, "value", Text, NonZero), F(3, "effect", Text, Given),
    F(4, "timeAdded", Time, Given),
]);

static CORE_V1_TOLERATION: Message = Message(&[
    F(1, "key", Text, NonZero), F(2, "operator", Text, NonZero), F(3, "value", Text, NonZero),
    F(4, "effect", Text, NonZero), F(5, "tolerationSeconds", Integer, Given),
]);

static CORE_V1_TOPOLOGY_SELECTOR_LABEL_REQUIREMENT: Message = Message(&[
    F(1, "key", Text, Given), F(2, "values", Text, NullableList),
]);

static CORE_V1_TOPOLOGY_SELECTOR_TERM: Message = Message(&[
    F(1, "matchLabelExpressions", Of(&CORE_V1_TOPOLOGY_SELECTOR_LABEL_REQUIREMENT), List),
]);

static CORE_V1_TOPOLOGY_SPREAD_CONSTRAINT: Message = Message(&[
    F(1, "maxSkew", Integer, Given), F(2, "topologyKey", Text, Given), F(3, "whenUnsatisfiable", Text, Given),
    F(4, "labelSelector", Of(&META_V1_LABEL_SELECTOR), Given), F(5, "minDomains", Integer, Given),
    F(6, "nodeAffinityPolicy", Text, NonZero), F(7, "nodeTaintsPolicy", Text, NonZero),
    F(8, "matchLabelKeys", Text, List),
]);

static CORE_V1_TYPED_LOCAL_OBJECT_REFERENCE: Message = Message(&[
    F(1, "apiGroup", Text, Nullable), F(2, "kind", Text, Given), F(3, "name", Text, Given),
]);

static CORE_V1_TYPED_OBJECT_REFERENCE: Message = Message(&[
    F(1, "apiGroup", Text, NonZero), F(2, "kind", Text, Given), F(3, "name", Text, Given),
    F(4, "namespace", Text, NonZero),
]);

static CORE_V1_VOLUME: Message = Message(&[
    F(1, "name", Text, Given), F(2, "", Of(&CORE_V1_VOLUME_SOURCE), Inline),
]);

static CORE_V1_VOLUME_DEVICE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "devicePath", Text, Given),
]);

static CORE_V1_VOLUME_MOUNT: Message = Message(&[
    F(1, "name", Text, Given), F(2, "readOnly", Bool, NonZero), F(7, "recursiveReadOnly", Text, NonZero),
    F(3, "mountPath", Text, Given), F(4, "subPath", Text, NonZero), F(5, "mountPropagation", Text, Given),
    F(6, "subPathExpr", Text, NonZero),
]);

static CORE_V1_VOLUME_MOUNT_STATUS: Message = Message(&[
    F(1, "name", Text, Given), F(2, "mountPath", Text, Given), F(3, "readOnly", Bool, NonZero),
    F(4, "recursiveReadOnly", Text, NonZero),
]);

static CORE_V1_VOLUME_NODE_AFFINITY: Message = Message(&[
    F(1, "required", Of(&CORE_V1_NODE_SELECTOR), Given),
]);

static CORE_V1_VOLUME_PROJECTION: Message = Message(&[
    F(1, "secret", Of(&CORE_V1_SECRET_PROJECTION), Given),
    F(2, "downwardAPI", Of(&CORE_V1_DOWNWARD_API_PROJECTION), Given),
    F(3, "configMap", Of(&CORE_V1_CONFIG_MAP_PROJECTION), Given),
    F(4, "serviceAccountToken", Of(&CORE_V1_SERVICE_ACCOUNT_TOKEN_PROJECTION), Given),
    F(5, "clusterTrustBundle", Of(&CORE_V1_CLUSTER_TRUST_BUNDLE_PROJECTION), Given),
    F(6, "podCertificate", Of(&CORE_V1_POD_CERTIFICATE_PROJECTION), Given),
]);

static CORE_V1_VOLUME_RESOURCE_REQUIREMENTS: Message = Message(&[
    F(1, "limits", Quantity, Map), F(2, "requests", Quantity, Map),
]);

static CORE_V1_VOLUME_SOURCE: Message = Message(&[
    F(1, "hostPath", Of(&CORE_V1_HOST_PATH_VOLUME_SOURCE), Given),
    F(2, "emptyDir", Of(&CORE_V1_EMPTY_DIR_VOLUME_SOURCE), Given),
    F(3, "gcePersistentDisk", Of(&CORE_V1_GCE_PERSISTENT_DISK_VOLUME_SOURCE), Given),
    F(4, "awsElasticBlockStore", Of(&CORE_V1_AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE), Given),
    F(5, "gitRepo", Of(&CORE_V1_GIT_REPO_VOLUME_SOURCE), Given),
    F(6, "secret", Of(&CORE_V1_SECRET_VOLUME_SOURCE), Given), F(7, "nfs", Of(&CORE_V1_NFS_VOLUME_SOURCE), Given),
    F(8, "iscsi", Of(&CORE_V1_ISCSI_VOLUME_SOURCE), Given),
    F(9, "glusterfs", Of(&CORE_V1_GLUSTERFS_VOLUME_SOURCE), Given),
    F(10, "persistentVolumeClaim", Of(&CORE_V1_PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE), Given),
    F(11, "rbd", Of(&CORE_V1_RBD_VOLUME_SOURCE), Given), F(12, "flexVolume", Of(&CORE_V1_FLEX_VOLUME_SOURCE), Given),
    F(13, "cinder", Of(&CORE_V1_CINDER_VOLUME_SOURCE), Given),
    F(14, "cephfs", Of(&CORE_V1_CEPH_FS_VOLUME_SOURCE), Given),
    F(15, "flocker", Of(&CORE_V1_FLOCKER_VOLUME_SOURCE), Given),
    F(16, "downwardAPI", Of(&CORE_V1_DOWNWARD_API_VOLUME_SOURCE), Given),
    F(17, "fc", Of(&CORE_V1_FC_VOLUME_SOURCE), Given),
    F(18, "azureFile", Of(&CORE_V1_AZURE_FILE_VOLUME_SOURCE), Given),
    F(19, "configMap", Of(&CORE_V1_CONFIG_MAP_VOLUME_SOURCE), Given),
    F(20, "vsphereVolume", Of(&CORE_V1_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE), Given),
    F(21, "quobyte", Of(&CORE_V1_QUOBYTE_VOLUME_SOURCE), Given),
    F(22, "azureDisk", Of(&CORE_V1_AZURE_DISK_VOLUME_SOURCE), Given),
    F(23, "photonPersistentDisk", Of(&CORE_V1_PHOTON_PERSISTENT_DISK_VOLUME_SOURCE), Given),
    F(26, "projected", Of(&CORE_V1_PROJECTED_VOLUME_SOURCE), Given),
    F(24, "portworxVolume", Of(&CORE_V1_PORTWORX_VOLUME_SOURCE), Given),
    F(25, "scaleIO", Of(&CORE_V1_SCALE_IO_VOLUME_SOURCE), Given),
    F(27, "storageos", Of(&CORE_V1_STORAGE_OS_VOLUME_SOURCE), Given),
    F(28, "csi", Of(&CORE_V1_CSI_VOLUME_SOURCE), Given),
    F(29, "ephemeral", Of(&CORE_V1_EPHEMERAL_VOLUME_SOURCE), Given),
    F(30, "image", Of(&CORE_V1_IMAGE_VOLUME_SOURCE), Given),
]);

static CORE_V1_VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE: Message = Message(&[
    F(1, "volumePath", Text, Given), F(2, "fsType", Text, NonZero), F(3, "storagePolicyName", Text, NonZero),
    F(4, "storagePolicyID", Text, NonZero),
]);

static CORE_V1_WEIGHTED_POD_AFFINITY_TERM: Message = Message(&[
    F(1, "weight", Integer, Given), F(2, "podAffinityTerm", Of(&CORE_V1_POD_AFFINITY_TERM), Given),
]);

static CORE_V1_WINDOWS_SECURITY_CONTEXT_OPTIONS: Message = Message(&[
    F(1, "gmsaCredentialSpecName", Text, Given), F(2, "gmsaCredentialSpec", Text, Given),
    F(3, "runAsUserName", Text, Given), F(4, "hostProcess", Bool, Given),
]);

static CORE_V1_WORKLOAD_REFERENCE: Message = Message(&[
    F(1, "name", Text, Given), F(2, "podGroup", Text, Given), F(3, "podGroupReplicaKey", Text, NonZero),
]);

static DISCOVERY_V1_ENDPOINT: Message = Message(&[
    F(1, "addresses", Text, NullableList), F(2, "conditions", Of(&DISCOVERY_V1_ENDPOINT_CONDITIONS), Given),
    F(3, "hostname", Text, Given), F(4, "targetRef", Of(&CORE_V1_OBJECT_REFERENCE), Given),
    F(5, "deprecatedTopology", Text, Map), F(6, "nodeName", Text, Given), F(7, "zone", Text, NonZero),
    F(8, "hints", Of(&DISCOVERY_V1_ENDPOINT_HINTS), Given),
]);

static DISCOVERY_V1_ENDPOINT_CONDITIONS: Message = Message(&[
    F(1, "ready", Bool, Given), F(2, "serving", Bool, Given), F(3, "terminating", Bool, Given),
]);

static DISCOVERY_V1_ENDPOINT_HINTS: Message = Message(&[
    F(1, "forZones", Of(&DISCOVERY_V1_FOR_ZONE), List), F(2, "forNodes", Of(&DISCOVERY_V1_FOR_NODE), List),
]);

static DISCOVERY_V1_ENDPOINT_PORT: Message = Message(&[
    F(1, "name", Text, Given), F(2, "protocol", Text, Given), F(3, "port", Integer, Given),
    F(4, "appProtocol", Text, Given),
]);

static DISCOVERY_V1_ENDPOINT_SLICE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(4, "addressType", Text, Given),
    F(2, "endpoints", Of(&DISCOVERY_V1_ENDPOINT), NullableList),
    F(3, "ports", Of(&DISCOVERY_V1_ENDPOINT_PORT), NullableList),
]);

static DISCOVERY_V1_FOR_NODE: Message = Message(&[
    F(1, "name", Text, Given),
]);

static DISCOVERY_V1_FOR_ZONE: Message = Message(&[
    F(1, "name", Text, Given),
]);

static DISCOVERY_V1BETA1_ENDPOINT: Message = Message(&[
    F(1, "addresses", Text, NullableList), F(2, "conditions", Of(&DISCOVERY_V1BETA1_ENDPOINT_CONDITIONS), Given),
    F(3, "hostname", Text, Given), F(4, "targetRef", Of(&CORE_V1_OBJECT_REFERENCE), Given),
    F(5, "topology", Text, Map), F(6, "nodeName", Text, Given),
    F(7, "hints", Of(&DISCOVERY_V1BETA1_ENDPOINT_HINTS), Given),
]);

static DISCOVERY_V1BETA1_ENDPOINT_CONDITIONS: Message = Message(&[
    F(1, "ready", Bool, Given), F(2, "serving", Bool, Given), F(3, "terminating", Bool, Given),
]);

static DISCOVERY_V1BETA1_ENDPOINT_HINTS: Message = Message(&[
    F(1, "forZones", Of(&DISCOVERY_V1BETA1_FOR_ZONE), List), F(2, "forNodes", Of(&DISCOVERY_V1BETA1_FOR_NODE), List),
]);

static DISCOVERY_V1BETA1_ENDPOINT_PORT: Message = Message(&[
    F(1, "name", Text, Given), F(2, "protocol", Text, Given), F(3, "port", Integer, Given),
    F(4, "appProtocol", Text, Given),
]);

static DISCOVERY_V1BETA1_ENDPOINT_SLICE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(4, "addressType", Text, Given),
    F(2, "endpoints", Of(&DISCOVERY_V1BETA1_ENDPOINT), NullableList),
    F(3, "ports", Of(&DISCOVERY_V1BETA1_ENDPOINT_PORT), NullableList),
]);

static DISCOVERY_V1BETA1_FOR_NODE: Message = Message(&[
    F(1, "name", Text, Given),
]);

static DISCOVERY_V1BETA1_FOR_ZONE: Message = Message(&[
    F(1, "name", Text, Given),
]);

static EVENTS_V1_EVENT: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "eventTime", MicroTime, Given),
    F(3, "series", Of(&EVENTS_V1_EVENT_SERIES), Given), F(4, "reportingController", Text, NonZero),
    F(5, "reportingInstance", Text, NonZero), F(6, "action", Text, NonZero), F(7, "reason", Text, NonZero),
    F(8, "regarding", Of(&CORE_V1_OBJECT_REFERENCE), Given), F(9, "related", Of(&CORE_V1_OBJECT_REFERENCE), Given),
    F(10, "note", Text, NonZero), F(11, "type", Text, NonZero),
    F(12, "deprecatedSource", Of(&CORE_V1_EVENT_SOURCE), Given), F(13, "deprecatedFirstTimestamp", Time, Given),
    F(14, "deprecatedLastTimestamp", Time, Given), F(15, "deprecatedCount", Integer, NonZero),
]);

static EVENTS_V1_EVENT_SERIES: Message = Message(&[
    F(1, "count", Integer, Given), F(2, "lastObservedTime", MicroTime, Given),
]);

static FLOWCONTROL_V1_EXEMPT_PRIORITY_LEVEL_CONFIGURATION: Message = Message(&[
    F(1, "nominalConcurrencyShares", Integer, Given), F(2, "lendablePercent", Integer, Given),
]);

static FLOWCONTROL_V1_FLOW_DISTINGUISHER_METHOD: Message = Message(&[
    F(1, "type", Text, Given),
]);

static FLOWCONTROL_V1_FLOW_SCHEMA: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&FLOWCONTROL_V1_FLOW_SCHEMA_SPEC), Given),
    F(3, "status", Of(&FLOWCONTROL_V1_FLOW_SCHEMA_STATUS), Given),
]);

static FLOWCONTROL_V1_FLOW_SCHEMA_CONDITION: Message = Message(&[
    F(1, "type", Text, NonZero), F(2, "status", Text, NonZero), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static FLOWCONTROL_V1_FLOW_SCHEMA_SPEC: Message = Message(&[
    F(1, "priorityLevelConfiguration", Of(&FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_REFERENCE), Given),
    F(2, "matchingPrecedence", Integer, Given),
    F(3, "distinguisherMethod", Of(&FLOWCONTROL_V1_FLOW_DISTINGUISHER_METHOD), Given),
    F(4, "rules", Of(&FLOWCONTROL_V1_POLICY_RULES_WITH_SUBJECTS), List),
]);

static FLOWCONTROL_V1_FLOW_SCHEMA_STATUS: Message = Message(&[
    F(1, "conditions", Of(&FLOWCONTROL_V1_FLOW_SCHEMA_CONDITION), List),
]);

static FLOWCONTROL_V1_GROUP_SUBJECT: Message = Message(&[
    F(1, "name", Text, Given),
]);

static FLOWCONTROL_V1_LIMIT_RESPONSE: Message = Message(&[
    F(1, "type", Text, Given), F(2, "queuing", Of(&FLOWCONTROL_V1_QUEUING_CONFIGURATION), Given),
]);

static FLOWCONTROL_V1_LIMITED_PRIORITY_LEVEL_CONFIGURATION: Message = Message(&[
    F(1, "nominalConcurrencyShares", Integer, Given),
    F(2, "limitResponse", Of(&FLOWCONTROL_V1_LIMIT_RESPONSE), Given), F(3, "lendablePercent", Integer, Given),
    F(4, "borrowingLimitPercent", Integer, Given),
]);

static FLOWCONTROL_V1_NON_RESOURCE_POLICY_RULE: Message = Message(&[
    F(1, "verbs", Text, NullableList), F(6, "nonResourceURLs", Text, NullableList),
]);

static FLOWCONTROL_V1_POLICY_RULES_WITH_SUBJECTS: Message = Message(&[
    F(1, "subjects", Of(&FLOWCONTROL_V1_SUBJECT), NullableList),
    F(2, "resourceRules", Of(&FLOWCONTROL_V1_RESOURCE_POLICY_RULE), List),
    F(3, "nonResourceRules", Of(&FLOWCONTROL_V1_NON_RESOURCE_POLICY_RULE), List),
]);

static FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_SPEC), Given),
    F(3, "status", Of(&FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_STATUS), Given),
]);

static FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_CONDITION: Message = Message(&[
    F(1, "type", Text, NonZero), F(2, "status", Text, NonZero), F(3, "lastTransitionTime", Time, Given),
    F(4, "reason", Text, NonZero), F(5, "message", Text, NonZero),
]);

static FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_REFERENCE: Message = Message(&[
    F(1, "name", Text, Given),
]);

static FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_SPEC: Message = Message(&[
    F(1, "type", Text, Given), F(2, "limited", Of(&FLOWCONTROL_V1_LIMITED_PRIORITY_LEVEL_CONFIGURATION), Given),
    F(3, "exempt", Of(&FLOWCONTROL_V1_EXEMPT_PRIORITY_LEVEL_CONFIGURATION), Given),
]);

static FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_STATUS: Message = Message(&[
    F(1, "conditions", Of(&FLOWCONTROL_V1_PRIORITY_LEVEL_CONFIGURATION_CONDITION), List),
]);

static FLOWCONTROL_V1_QUEUING_CONFIGURATION: Message = Message(&[
    F(1, "queues", Integer, Given), F(2, "handSize", Integer, Given), F(3, "queueLengthLimit", Integer, Given),
]);

static FLOWCONTROL_V1_RESOURCE_POLICY_RULE: Message = Message(&[
    F(1, "verbs", Text, NullableList), F(2, "apiGroups", Text, NullableList), F(3, "resources", Text, NullableList),
    F(4, "clusterScope", Bool, NonZero), F(5, "namespaces", Text, NullableList),
]);

static FLOWCONTROL_V1_SERVICE_ACCOUNT_SUBJECT: Message = Message(&[
    F(1, "namespace", Text, Given), F(2, "name", Text, Given),
]);

static FLOWCONTROL_V1_SUBJECT: Message = Message(&[
    F(1, "kind", Text, Given), F(2, "user", Of(&FLOWCONTROL_V1_USER_SUBJECT), Given),
    F(3, "group", Of(&FLOWCONTROL_V1_GROUP_SUBJECT), Given),
    F(4, "serviceAccount", Of(&FLOWCONTROL_V1_SERVICE_ACCOUNT_SUBJECT), Given),
]);

static FLOWCONTROL_V1_USER_SUBJECT: Message = Message(&[
    F(1, "name", Text, Given),
]);

static META_V1_CONDITION: Message = Message(&[
    F(1, "type", Text, Given), F(2, "status", Text, Given), F(3, "observedGeneration", Integer, NonZero),
    F(4, "lastTransitionTime", Time, Given), F(5, "reason", Text, Given), F(6, "message", Text, Given),
]);

static META_V1_LABEL_SELECTOR: Message = Message(&[
    F(1, "matchLabels", Text, Map), F(2, "matchExpressions", Of(&META_V1_LABEL_SELECTOR_REQUIREMENT), List),
]);

static META_V1_LABEL_SELECTOR_REQUIREMENT: Message = Message(&[
    F(1, "key", Text, Given), F(2, "operator", Text, Given), F(3, "values", Text, List),
]);

pub(super) static META_V1_LIST_META: Message = Message(&[
    F(1, "selfLink", Text, NonZero), F(2, "resourceVersion", Text, NonZero), F(3, "continue", Text, NonZero),
    F(4, "remainingItemCount", Integer, Given),
]);

static META_V1_MANAGED_FIELDS_ENTRY: Message = Message(&[
    F(1, "manager", Text, NonZero), F(2, "operation", Text, NonZero), F(3, "apiVersion", Text, NonZero),
    F(4, "time", Time, Given), F(6, "fieldsType", Text, NonZero), F(7, "fieldsV1", Raw, Given),
    F(8, "subresource", Text, NonZero),
]);

static META_V1_OBJECT_META: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "generateName", Text, NonZero), F(3, "namespace", Text, NonZero),
    F(4, "selfLink", Text, NonZero), F(5, "uid", Text, NonZero), F(6, "resourceVersion", Text, NonZero),
    F(7, "generation", Integer, NonZero), F(8, "creationTimestamp", Time, NonZero),
    F(9, "deletionTimestamp", Time, Given), F(10, "deletionGracePeriodSeconds", Integer, Given),
    F(11, "labels", Text, Map), F(12, "annotations", Text, Map),
    F(13, "ownerReferences", Of(&META_V1_OWNER_REFERENCE), List), F(14, "finalizers", Text, List),
    F(17, "managedFields", Of(&META_V1_MANAGED_FIELDS_ENTRY), List), F(15, "clusterName", Text, NonZero),
]);

static META_V1_OWNER_REFERENCE: Message = Message(&[
    F(5, "apiVersion", Text, Given), F(1, "kind", Text, Given), F(3, "name", Text, Given), F(4, "uid", Text, Given),
    F(6, "controller", Bool, Given), F(7, "blockOwnerDeletion", Bool, Given),
]);

pub(super) static META_V1_PARTIAL_OBJECT_METADATA: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
]);

pub(super) static META_V1_STATUS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_LIST_META), Given), F(2, "status", Text, NonZero), F(3, "message", Text, NonZero),
    F(4, "reason", Text, NonZero), F(5, "details", Of(&META_V1_STATUS_DETAILS), Given),
    F(6, "code", Integer, NonZero),
]);

static META_V1_STATUS_CAUSE: Message = Message(&[
    F(1, "reason", Text, NonZero), F(2, "message", Text, NonZero), F(3, "field", Text, NonZero),
]);

static META_V1_STATUS_DETAILS: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "group", Text, NonZero), F(3, "kind", Text, NonZero),
    F(6, "uid", Text, NonZero), F(4, "causes", Of(&META_V1_STATUS_CAUSE), List),
    F(5, "retryAfterSeconds", Integer, NonZero),
]);

static NETWORKING_V1_HTTP_INGRESS_PATH: Message = Message(&[
    F(1, "path", Text, NonZero), F(3, "pathType", Text, Given),
    F(2, "backend", Of(&NETWORKING_V1_INGRESS_BACKEND), Given),
]);

static NETWORKING_V1_HTTP_INGRESS_RULE_VALUE: Message = Message(&[
    F(1, "paths", Of(&NETWORKING_V1_HTTP_INGRESS_PATH), NullableList),
]);

static NETWORKING_V1_IP_ADDRESS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1_IP_ADDRESS_SPEC), Given),
]);

static NETWORKING_V1_IP_ADDRESS_SPEC: Message = Message(&[
    F(1, "parentRef", Of(&NETWORKING_V1_PARENT_REFERENCE), Given),
]);

static NETWORKING_V1_IP_BLOCK: Message = Message(&[
    F(1, "cidr", Text, Given), F(2, "except", Text, List),
]);

static NETWORKING_V1_INGRESS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1_INGRESS_SPEC), Given),
    F(3, "status", Of(&NETWORKING_V1_INGRESS_STATUS), Given),
]);

static NETWORKING_V1_INGRESS_BACKEND: Message = Message(&[
    F(4, "service", Of(&NETWORKING_V1_INGRESS_SERVICE_BACKEND), Given),
    F(3, "resource", Of(&CORE_V1_TYPED_LOCAL_OBJECT_REFERENCE), Given),
]);

static NETWORKING_V1_INGRESS_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1_INGRESS_CLASS_SPEC), Given),
]);

static NETWORKING_V1_INGRESS_CLASS_PARAMETERS_REFERENCE: Message = Message(&[
    F(1, "apiGroup", Text, NonZero), F(2, "kind", Text, Given), F(3, "name", Text, Given),
    F(4, "scope", Text, NonZero), F(5, "namespace", Text, NonZero),
]);

static NETWORKING_V1_INGRESS_CLASS_SPEC: Message = Message(&[
    F(1, "controller", Text, NonZero),
    F(2, "parameters", Of(&NETWORKING_V1_INGRESS_CLASS_PARAMETERS_REFERENCE), Given),
]);

static NETWORKING_V1_INGRESS_LOAD_BALANCER_INGRESS: Message = Message(&[
    F(1, "ip", Text, NonZero), F(2, "hostname", Text, NonZero),
    F(4, "ports", Of(&NETWORKING_V1_INGRESS_PORT_STATUS), List),
]);

static NETWORKING_V1_INGRESS_LOAD_BALANCER_STATUS: Message = Message(&[
    F(1, "ingress", Of(&NETWORKING_V1_INGRESS_LOAD_BALANCER_INGRESS), List),
]);

static NETWORKING_V1_INGRESS_PORT_STATUS: Message = Message(&[
    F(1, "port", Integer, Given), F(2, "protocol", Text, Given), F(3, "error", Text, NonZero),
]);

static NETWORKING_V1_INGRESS_RULE: Message = Message(&[
    F(1, "host", Text, NonZero), F(2, "", Of(&NETWORKING_V1_INGRESS_RULE_VALUE), Inline),
]);

static NETWORKING_V1_INGRESS_RULE_VALUE: Message = Message(&[
    F(1, "http", Of(&NETWORKING_V1_HTTP_INGRESS_RULE_VALUE), Given),
]);

static NETWORKING_V1_INGRESS_SERVICE_BACKEND: Message = Message(&[
    F(1, "name", Text, Given), F(2, "port", Of(&NETWORKING_V1_SERVICE_BACKEND_PORT), Given),
]);

static NETWORKING_V1_INGRESS_SPEC: Message = Message(&[
    F(4, "ingressClassName", Text, Given), F(1, "defaultBackend", Of(&NETWORKING_V1_INGRESS_BACKEND), Given),
    F(2, "tls", Of(&NETWORKING_V1_INGRESS_TLS), List), F(3, "rules", Of(&NETWORKING_V1_INGRESS_RULE), List),
]);

static NETWORKING_V1_INGRESS_STATUS: Message = Message(&[
    F(1, "loadBalancer", Of(&NETWORKING_V1_INGRESS_LOAD_BALANCER_STATUS), Given),
]);

static NETWORKING_V1_INGRESS_TLS: Message = Message(&[
    F(1, "hosts", Text, List), F(2, "secretName", Text, NonZero),
]);

static NETWORKING_V1_NETWORK_POLICY: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1_NETWORK_POLICY_SPEC), Given),
]);

static NETWORKING_V1_NETWORK_POLICY_EGRESS_RULE: Message = Message(&[
    F(1, "ports", Of(&NETWORKING_V1_NETWORK_POLICY_PORT), List),
    F(2, "to", Of(&NETWORKING_V1_NETWORK_POLICY_PEER), List),
]);

static NETWORKING_V1_NETWORK_POLICY_INGRESS_RULE: Message = Message(&[
    F(1, "ports", Of(&NETWORKING_V1_NETWORK_POLICY_PORT), List),
    F(2, "from", Of(&NETWORKING_V1_NETWORK_POLICY_PEER), List),
]);

static NETWORKING_V1_NETWORK_POLICY_PEER: Message = Message(&[
    F(1, "podSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(2, "namespaceSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(3, "ipBlock", Of(&NETWORKING_V1_IP_BLOCK), Given),
]);

static NETWORKING_V1_NETWORK_POLICY_PORT: Message = Message(&[
    F(1, "protocol", Text, Given), F(2, "port", IntOrString, Given), F(3, "endPort", Integer, Given),
]);

static NETWORKING_V1_NETWORK_POLICY_SPEC: Message = Message(&[
    F(1, "podSelector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(2, "ingress", Of(&NETWORKING_V1_NETWORK_POLICY_INGRESS_RULE), List),
    F(3, "egress", Of(&NETWORKING_V1_NETWORK_POLICY_EGRESS_RULE), List), F(4, "policyTypes", Text, List),
]);

static NETWORKING_V1_PARENT_REFERENCE: Message = Message(&[
    F(1, "group", Text, NonZero), F(2, "resource", Text, Given), F(3, "namespace", Text, NonZero),
    F(4, "name", Text, Given),
]);

static NETWORKING_V1_SERVICE_BACKEND_PORT: Message = Message(&[
    F(1, "name", Text, NonZero), F(2, "number", Integer, NonZero),
]);

static NETWORKING_V1_SERVICE_CIDR: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1_SERVICE_CIDR_SPEC), Given),
    F(3, "status", Of(&NETWORKING_V1_SERVICE_CIDR_STATUS), Given),
]);

static NETWORKING_V1_SERVICE_CIDR_SPEC: Message = Message(&[
    F(1, "cidrs", Text, List),
]);

static NETWORKING_V1_SERVICE_CIDR_STATUS: Message = Message(&[
    F(1, "conditions", Of(&META_V1_CONDITION), List),
]);

static NETWORKING_V1BETA1_HTTP_INGRESS_PATH: Message = Message(&[
    F(1, "path", Text, NonZero), F(3, "pathType", Text, Given),
    F(2, "backend", Of(&NETWORKING_V1BETA1_INGRESS_BACKEND), Given),
]);

static NETWORKING_V1BETA1_HTTP_INGRESS_RULE_VALUE: Message = Message(&[
    F(1, "paths", Of(&NETWORKING_V1BETA1_HTTP_INGRESS_PATH), NullableList),
]);

static NETWORKING_V1BETA1_IP_ADDRESS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1BETA1_IP_ADDRESS_SPEC), Given),
]);

static NETWORKING_V1BETA1_IP_ADDRESS_SPEC: Message = Message(&[
    F(1, "parentRef", Of(&NETWORKING_V1BETA1_PARENT_REFERENCE), Given),
]);

static NETWORKING_V1BETA1_INGRESS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1BETA1_INGRESS_SPEC), Given),
    F(3, "status", Of(&NETWORKING_V1BETA1_INGRESS_STATUS), Given),
]);

static NETWORKING_V1BETA1_INGRESS_BACKEND: Message = Message(&[
    F(1, "serviceName", Text, NonZero), F(2, "servicePort", IntOrString, Given),
    F(3, "resource", Of(&CORE_V1_TYPED_LOCAL_OBJECT_REFERENCE), Given),
]);

static NETWORKING_V1BETA1_INGRESS_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&NETWORKING_V1BETA1_INGRESS_CLASS_SPEC), Given),
]);

static NETWORKING_V1BETA1_INGRESS_CLASS_PARAMETERS_REFERENCE: Message = Message(&[
    F(1, "apiGroup", Text, NonZero), F(2, "kind", Text, Given), F(3, "name", Text, Given), F(4, "scope", Text, Given),
    F(5, "namespace", Text, NonZero),
]);

static NETWORKING_V1BETA1_INGRESS_CLASS_SPEC: Message = Message(&[
    F(1, "controller", Text, NonZero),
    F(2, "parameters", Of(&NETWORKING_V1BETA1_INGRESS_CLASS_PARAMETERS_REFERENCE), Given),
]);

static NETWORKING_V1BETA1_INGRESS_LOAD_BALANCER_INGRESS: Message = Message(&[
    F(1, "ip", Text, NonZero), F(2, "hostname", Text, NonZero),
    F(4, "ports", Of(&NETWORKING_V1BETA1_INGRESS_PORT_STATUS), List),
]);

static NETWORKING_V1BETA1_INGRESS_LOAD_BALANCER_STATUS: Message = Message(&[
    F(1, "ingress", Of(&NETWORKING_V1BETA1_INGRESS_LOAD_BALANCER_INGRESS), List),
]);

static NETWORKING_V1BETA1_INGRESS_PORT_STATUS: Message = Message(&[
    F(1, "port", Integer, Given), F(2, "protocol", Text, Given), F(3, "error", Text, NonZero),
]);

static NETWORKING_V1BETA1_INGRESS_RULE: Message = Message(&[
    F(1, "host", Text, NonZero), F(2, "", Of(&NETWORKING_V1BETA1_INGRESS_RULE_VALUE), Inline),
]);

static NETWORKING_V1BETA1_INGRESS_RULE_VALUE: Message = Message(&[
    F(1, "http", Of(&NETWORKING_V1BETA1_HTTP_INGRESS_RULE_VALUE), Given),
]);

static NETWORKING_V1BETA1_INGRESS_SPEC: Message = Message(&[
    F(4, "ingressClassName", Text, Given), F(1, "backend", Of(&NETWORKING_V1BETA1_INGRESS_BACKEND), Given),
    F(2, "tls", Of(&NETWORKING_V1BETA1_INGRESS_TLS), List), F(3, "rules", Of(&NETWORKING_V1BETA1_INGRESS_RULE), List),
]);

static NETWORKING_V1BETA1_INGRESS_STATUS: Message = Message(&[
    F(1, "loadBalancer", Of(&NETWORKING_V1BETA1_INGRESS_LOAD_BALANCER_STATUS), Given),
]);

static NETWORKING_V1BETA1_INGRESS_TLS: Message = Message(&[
    F(1, "hosts", Text, List), F(2, "secretName", Text, NonZero),
]);

static NETWORKING_V1BETA1_PARENT_REFERENCE: Message = Message(&[
    F(1, "group", Text, NonZero), F(2, "resource", Text, Given), F(3, "namespace", Text, NonZero),
    F(4, "name", Text, Given),
]);

static NETWORKING_V1BETA1_SERVICE_CIDR: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&NETWORKING_V1BETA1_SERVICE_CIDR_SPEC), Given),
    F(3, "status", Of(&NETWORKING_V1BETA1_SERVICE_CIDR_STATUS), Given),
]);

static NETWORKING_V1BETA1_SERVICE_CIDR_SPEC: Message = Message(&[
    F(1, "cidrs", Text, List),
]);

static NETWORKING_V1BETA1_SERVICE_CIDR_STATUS: Message = Message(&[
    F(1, "conditions", Of(&META_V1_CONDITION), List),
]);

static NODE_V1_OVERHEAD: Message = Message(&[
    F(1, "podFixed", Quantity, Map),
]);

static NODE_V1_RUNTIME_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "handler", Text, Given),
    F(3, "overhead", Of(&NODE_V1_OVERHEAD), Given), F(4, "scheduling", Of(&NODE_V1_SCHEDULING), Given),
]);

static NODE_V1_SCHEDULING: Message = Message(&[
    F(1, "nodeSelector", Text, Map), F(2, "tolerations", Of(&CORE_V1_TOLERATION), List),
]);

static POLICY_V1_POD_DISRUPTION_BUDGET: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&POLICY_V1_POD_DISRUPTION_BUDGET_SPEC), Given),
    F(3, "status", Of(&POLICY_V1_POD_DISRUPTION_BUDGET_STATUS), Given),
]);

static POLICY_V1_POD_DISRUPTION_BUDGET_SPEC: Message = Message(&[
    F(1, "minAvailable", IntOrString, Given), F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(3, "maxUnavailable", IntOrString, Given), F(4, "unhealthyPodEvictionPolicy", Text, NonZero),
]);

static POLICY_V1_POD_DISRUPTION_BUDGET_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, NonZero), F(2, "disruptedPods", Time, Map),
    F(3, "disruptionsAllowed", Integer, Given), F(4, "currentHealthy", Integer, Given),
    F(5, "desiredHealthy", Integer, Given), F(6, "expectedPods", Integer, Given),
    F(7, "conditions", Of(&META_V1_CONDITION), List),
]);

static POLICY_V1BETA1_ALLOWED_CSI_DRIVER: Message = Message(&[
    F(1, "name", Text, Given),
]);

static POLICY_V1BETA1_ALLOWED_FLEX_VOLUME: Message = Message(&[
    F(1, "driver", Text, Given),
]);

static POLICY_V1BETA1_ALLOWED_HOST_PATH: Message = Message(&[
    F(1, "pathPrefix", Text, NonZero), F(2, "readOnly", Bool, NonZero),
]);

static POLICY_V1BETA1_FS_GROUP_STRATEGY_OPTIONS: Message = Message(&[
    F(1, "rule", Text, NonZero), F(2, "ranges", Of(&POLICY_V1BETA1_ID_RANGE), List),
]);

static POLICY_V1BETA1_HOST_PORT_RANGE: Message = Message(&[
    F(1, "min", Integer, Given), F(2, "max", Integer, Given),
]);

static POLICY_V1BETA1_ID_RANGE: Message = Message(&[
    F(1, "min", Integer, Given), F(2, "max", Integer, Given),
]);

static POLICY_V1BETA1_POD_DISRUPTION_BUDGET: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&POLICY_V1BETA1_POD_DISRUPTION_BUDGET_SPEC), Given),
    F(3, "status", Of(&POLICY_V1BETA1_POD_DISRUPTION_BUDGET_STATUS), Given),
]);

static POLICY_V1BETA1_POD_DISRUPTION_BUDGET_SPEC: Message = Message(&[
    F(1, "minAvailable", IntOrString, Given), F(2, "selector", Of(&META_V1_LABEL_SELECTOR), Given),
    F(3, "maxUnavailable", IntOrString, Given), F(4, "unhealthyPodEvictionPolicy", Text, NonZero),
]);

static POLICY_V1BETA1_POD_DISRUPTION_BUDGET_STATUS: Message = Message(&[
    F(1, "observedGeneration", Integer, NonZero), F(2, "disruptedPods", Time, Map),
    F(3, "disruptionsAllowed", Integer, Given), F(4, "currentHealthy", Integer, Given),
    F(5, "desiredHealthy", Integer, Given), F(6, "expectedPods", Integer, Given),
    F(7, "conditions", Of(&META_V1_CONDITION), List),
]);

static POLICY_V1BETA1_POD_SECURITY_POLICY: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&POLICY_V1BETA1_POD_SECURITY_POLICY_SPEC), Given),
]);

static POLICY_V1BETA1_POD_SECURITY_POLICY_SPEC: Message = Message(&[
    F(1, "privileged", Bool, NonZero), F(2, "defaultAddCapabilities", Text, List),
    F(3, "requiredDropCapabilities", Text, List), F(4, "allowedCapabilities", Text, List),
    F(5, "volumes", Text, List), F(6, "hostNetwork", Bool, NonZero),
    F(7, "hostPorts", Of(&POLICY_V1BETA1_HOST_PORT_RANGE), List), F(8, "hostPID", Bool, NonZero),
    F(9, "hostIPC", Bool, NonZero), F(10, "seLinux", Of(&POLICY_V1BETA1_SE_LINUX_STRATEGY_OPTIONS), Given),
    F(11, "runAsUser", Of(&POLICY_V1BETA1_RUN_AS_USER_STRATEGY_OPTIONS), Given),
    F(22, "runAsGroup", Of(&POLICY_V1BETA1_RUN_AS_GROUP_STRATEGY_OPTIONS), Given),
    F(12, "supplementalGroups", Of(&POLICY_V1BETA1_SUPPLEMENTAL_GROUPS_STRATEGY_OPTIONS), Given),
    F(13, "fsGroup", Of(&POLICY_V1BETA1_FS_GROUP_STRATEGY_OPTIONS), Given),
    F(14, "readOnlyRootFilesystem", Bool, NonZero), F(15, "defaultAllowPrivilegeEscalation", Bool, Given),
    F(16, "allowPrivilegeEscalation", Bool, Given),
    F(17, "allowedHostPaths", Of(&POLICY_V1BETA1_ALLOWED_HOST_PATH), List),
    F(18, "allowedFlexVolumes", Of(&POLICY_V1BETA1_ALLOWED_FLEX_VOLUME), List),
    F(23, "allowedCSIDrivers", Of(&POLICY_V1BETA1_ALLOWED_CSI_DRIVER), List),
    F(19, "allowedUnsafeSysctls", Text, List), F(20, "forbiddenSysctls", Text, List),
    F(21, "allowedProcMountTypes", Text, List),
    F(24, "runtimeClass", Of(&POLICY_V1BETA1_RUNTIME_CLASS_STRATEGY_OPTIONS), Given),
]);

static POLICY_V1BETA1_RUN_AS_GROUP_STRATEGY_OPTIONS: Message = Message(&[
    F(1, "rule", Text, Given), F(2, "ranges", Of(&POLICY_V1BETA1_ID_RANGE), List),
]);

static POLICY_V1BETA1_RUN_AS_USER_STRATEGY_OPTIONS: Message = Message(&[
    F(1, "rule", Text, Given), F(2, "ranges", Of(&POLICY_V1BETA1_ID_RANGE), List),
]);

static POLICY_V1BETA1_RUNTIME_CLASS_STRATEGY_OPTIONS: Message = Message(&[
    F(1, "allowedRuntimeClassNames", Text, NullableList), F(2, "defaultRuntimeClassName", Text, Given),
]);

static POLICY_V1BETA1_SE_LINUX_STRATEGY_OPTIONS: Message = Message(&[
    F(1, "rule", Text, Given), F(2, "seLinuxOptions", Of(&CORE_V1_SE_LINUX_OPTIONS), Given),
]);

static POLICY_V1BETA1_SUPPLEMENTAL_GROUPS_STRATEGY_OPTIONS: Message = Message(&[
    F(1, "rule", Text, NonZero), F(2, "ranges", Of(&POLICY_V1BETA1_ID_RANGE), List),
]);

static RBAC_V1_AGGREGATION_RULE: Message = Message(&[
    F(1, "clusterRoleSelectors", Of(&META_V1_LABEL_SELECTOR), List),
]);

static RBAC_V1_CLUSTER_ROLE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "rules", Of(&RBAC_V1_POLICY_RULE), NullableList),
    F(3, "aggregationRule", Of(&RBAC_V1_AGGREGATION_RULE), Given),
]);

static RBAC_V1_CLUSTER_ROLE_BINDING: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "subjects", Of(&RBAC_V1_SUBJECT), List),
    F(3, "roleRef", Of(&RBAC_V1_ROLE_REF), Given),
]);

static RBAC_V1_POLICY_RULE: Message = Message(&[
    F(1, "verbs", Text, NullableList), F(2, "apiGroups", Text, List), F(3, "resources", Text, List),
    F(4, "resourceNames", Text, List), F(5, "nonResourceURLs", Text, List),
]);

static RBAC_V1_ROLE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "rules", Of(&RBAC_V1_POLICY_RULE), NullableList),
]);

static RBAC_V1_ROLE_BINDING: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "subjects", Of(&RBAC_V1_SUBJECT), List),
    F(3, "roleRef", Of(&RBAC_V1_ROLE_REF), Given),
]);

static RBAC_V1_ROLE_REF: Message = Message(&[
    F(1, "apiGroup", Text, Given), F(2, "kind", Text, Given), F(3, "name", Text, Given),
]);

static RBAC_V1_SUBJECT: Message = Message(&[
    F(1, "kind", Text, Given), F(2, "apiGroup", Text, NonZero), F(3, "name", Text, Given),
    F(4, "namespace", Text, NonZero),
]);

static SCHEDULING_V1_PRIORITY_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "value", Integer, Given),
    F(3, "globalDefault", Bool, NonZero), F(4, "description", Text, NonZero), F(5, "preemptionPolicy", Text, Given),
]);

static STORAGE_V1_CSI_DRIVER: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&STORAGE_V1_CSI_DRIVER_SPEC), Given),
]);

static STORAGE_V1_CSI_DRIVER_SPEC: Message = Message(&[
    F(1, "attachRequired", Bool, Given), F(2, "podInfoOnMount", Bool, Given),
    F(3, "volumeLifecycleModes", Text, List), F(4, "storageCapacity", Bool, Given),
    F(5, "fsGroupPolicy", Text, Given), F(6, "tokenRequests", Of(&STORAGE_V1_TOKEN_REQUEST), List),
    F(7, "requiresRepublish", Bool, Given), F(8, "seLinuxMount", Bool, Given),
    F(9, "nodeAllocatableUpdatePeriodSeconds", Integer, Given), F(10, "serviceAccountTokenInSecrets", Bool, Given),
]);

static STORAGE_V1_CSI_NODE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&STORAGE_V1_CSI_NODE_SPEC), Given),
]);

static STORAGE_V1_CSI_NODE_DRIVER: Message = Message(&[
    F(1, "name", Text, Given), F(2, "nodeID", Text, Given), F(3, "topologyKeys", Text, NullableList),
    F(4, "allocatable", Of(&STORAGE_V1_VOLUME_NODE_RESOURCES), Given),
]);

static STORAGE_V1_CSI_NODE_SPEC: Message = Message(&[
    F(1, "drivers", Of(&STORAGE_V1_CSI_NODE_DRIVER), NullableList),
]);

static STORAGE_V1_CSI_STORAGE_CAPACITY: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "nodeTopology", Of(&META_V1_LABEL_SELECTOR), Given),
    F(3, "storageClassName", Text, Given), F(4, "capacity", Quantity, Given),
    F(5, "maximumVolumeSize", Quantity, Given),
]);

static STORAGE_V1_STORAGE_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "provisioner", Text, Given),
    F(3, "parameters", Text, Map), F(4, "reclaimPolicy", Text, Given), F(5, "mountOptions", Text, List),
    F(6, "allowVolumeExpansion", Bool, Given), F(7, "volumeBindingMode", Text, Given),
    F(8, "allowedTopologies", Of(&CORE_V1_TOPOLOGY_SELECTOR_TERM), List),
]);

static STORAGE_V1_TOKEN_REQUEST: Message = Message(&[
    F(1, "audience", Text, Given), F(2, "expirationSeconds", Integer, Given),
]);

static STORAGE_V1_VOLUME_ATTACHMENT: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&STORAGE_V1_VOLUME_ATTACHMENT_SPEC), Given),
    F(3, "status", Of(&STORAGE_V1_VOLUME_ATTACHMENT_STATUS), Given),
]);

static STORAGE_V1_VOLUME_ATTACHMENT_SOURCE: Message = Message(&[
    F(1, "persistentVolumeName", Text, Given), F(2, "inlineVolumeSpec", Of(&CORE_V1_PERSISTENT_VOLUME_SPEC), Given),
]);

static STORAGE_V1_VOLUME_ATTACHMENT_SPEC: Message = Message(&[
    F(1, "attacher", Text, Given), F(2, "source", Of(&STORAGE_V1_VOLUME_ATTACHMENT_SOURCE), Given),
    F(3, "nodeName", Text, Given),
]);

static STORAGE_V1_VOLUME_ATTACHMENT_STATUS: Message = Message(&[
    F(1, "attached", Bool, Given), F(2, "attachmentMetadata", Text, Map),
    F(3, "attachError", Of(&STORAGE_V1_VOLUME_ERROR), Given),
    F(4, "detachError", Of(&STORAGE_V1_VOLUME_ERROR), Given),
]);

static STORAGE_V1_VOLUME_ATTRIBUTES_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "driverName", Text, Given), F(3, "parameters", Text, Map),
]);

static STORAGE_V1_VOLUME_ERROR: Message = Message(&[
    F(1, "time", Time, Given), F(2, "message", Text, NonZero), F(3, "errorCode", Integer, Given),
]);

static STORAGE_V1_VOLUME_NODE_RESOURCES: Message = Message(&[
    F(1, "count", Integer, Given),
]);

static STORAGE_V1BETA1_CSI_DRIVER: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&STORAGE_V1BETA1_CSI_DRIVER_SPEC), Given),
]);

static STORAGE_V1BETA1_CSI_DRIVER_SPEC: Message = Message(&[
    F(1, "attachRequired", Bool, Given), F(2, "podInfoOnMount", Bool, Given),
    F(3, "volumeLifecycleModes", Text, List), F(4, "storageCapacity", Bool, Given),
    F(5, "fsGroupPolicy", Text, Given), F(6, "tokenRequests", Of(&STORAGE_V1BETA1_TOKEN_REQUEST), List),
    F(7, "requiresRepublish", Bool, Given), F(8, "seLinuxMount", Bool, Given),
    F(9, "nodeAllocatableUpdatePeriodSeconds", Integer, Given), F(10, "serviceAccountTokenInSecrets", Bool, Given),
]);

static STORAGE_V1BETA1_CSI_NODE: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "spec", Of(&STORAGE_V1BETA1_CSI_NODE_SPEC), Given),
]);

static STORAGE_V1BETA1_CSI_NODE_DRIVER: Message = Message(&[
    F(1, "name", Text, Given), F(2, "nodeID", Text, Given), F(3, "topologyKeys", Text, NullableList),
    F(4, "allocatable", Of(&STORAGE_V1BETA1_VOLUME_NODE_RESOURCES), Given),
]);

static STORAGE_V1BETA1_CSI_NODE_SPEC: Message = Message(&[
    F(1, "drivers", Of(&STORAGE_V1BETA1_CSI_NODE_DRIVER), NullableList),
]);

static STORAGE_V1BETA1_CSI_STORAGE_CAPACITY: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "nodeTopology", Of(&META_V1_LABEL_SELECTOR), Given),
    F(3, "storageClassName", Text, Given), F(4, "capacity", Quantity, Given),
    F(5, "maximumVolumeSize", Quantity, Given),
]);

static STORAGE_V1BETA1_STORAGE_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "provisioner", Text, Given),
    F(3, "parameters", Text, Map), F(4, "reclaimPolicy", Text, Given), F(5, "mountOptions", Text, List),
    F(6, "allowVolumeExpansion", Bool, Given), F(7, "volumeBindingMode", Text, Given),
    F(8, "allowedTopologies", Of(&CORE_V1_TOPOLOGY_SELECTOR_TERM), List),
]);

static STORAGE_V1BETA1_TOKEN_REQUEST: Message = Message(&[
    F(1, "audience", Text, Given), F(2, "expirationSeconds", Integer, Given),
]);

static STORAGE_V1BETA1_VOLUME_ATTACHMENT: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given),
    F(2, "spec", Of(&STORAGE_V1BETA1_VOLUME_ATTACHMENT_SPEC), Given),
    F(3, "status", Of(&STORAGE_V1BETA1_VOLUME_ATTACHMENT_STATUS), Given),
]);

static STORAGE_V1BETA1_VOLUME_ATTACHMENT_SOURCE: Message = Message(&[
    F(1, "persistentVolumeName", Text, Given), F(2, "inlineVolumeSpec", Of(&CORE_V1_PERSISTENT_VOLUME_SPEC), Given),
]);

static STORAGE_V1BETA1_VOLUME_ATTACHMENT_SPEC: Message = Message(&[
    F(1, "attacher", Text, Given), F(2, "source", Of(&STORAGE_V1BETA1_VOLUME_ATTACHMENT_SOURCE), Given),
    F(3, "nodeName", Text, Given),
]);

static STORAGE_V1BETA1_VOLUME_ATTACHMENT_STATUS: Message = Message(&[
    F(1, "attached", Bool, Given), F(2, "attachmentMetadata", Text, Map),
    F(3, "attachError", Of(&STORAGE_V1BETA1_VOLUME_ERROR), Given),
    F(4, "detachError", Of(&STORAGE_V1BETA1_VOLUME_ERROR), Given),
]);

static STORAGE_V1BETA1_VOLUME_ATTRIBUTES_CLASS: Message = Message(&[
    F(1, "metadata", Of(&META_V1_OBJECT_META), Given), F(2, "driverName", Text, Given), F(3, "parameters", Text, Map),
]);

static STORAGE_V1BETA1_VOLUME_ERROR: Message = Message(&[
    F(1, "time", Time, Given), F(2, "message", Text, NonZero), F(3, "errorCode", Integer, Given),
]);

static STORAGE_V1BETA1_VOLUME_NODE_RESOURCES: Message = Message(&[
    F(1, "count", Integer, Given),
]);
