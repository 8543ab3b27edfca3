//! The pods of a large cluster over a long time, as a recorder reads them. They are generated, and always the same.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// A cluster and how much it changes.
#[derive(Debug, Clone, Copy)]
pub struct PodHistory {
    /// Pods at any time.
    pub pods: usize,
    /// Nodes.
    pub nodes: usize,
    /// Days from the first reading to the last.
    pub days: usize,
    /// Readings per day.
    pub readings: usize,
    /// Share of the pods that are replaced in an hour.
    pub churn: f64,
    /// Share of the pods that are modified in a day.
    pub modified: f64,
    /// The time of the first reading, in microseconds since 1970.
    pub start: i64,
}

impl Default for PodHistory {
    /// 30 days of 60,000 pods on 600 nodes, read every hour.
    fn default() -> Self {
        let start = 1_793_491_200_000_000;
        PodHistory { pods: 60_000, nodes: 600, days: 30, readings: 24, churn: 0.01, modified: 0.1, start }
    }
}

/// What a reading finds to be different.
#[derive(Debug, Clone)]
pub struct PodReading {
    /// Its time, in microseconds since 1970.
    pub at: i64,
    /// New versions: `row_id`, `valid_from`, `not_before`, `origin`, then the columns of [`PodHistory::columns`].
    pub opened: RecordBatch,
    /// The number and the start of each version that ended.
    pub ended: Vec<(i64, i64)>,
}

impl PodHistory {
    /// The columns of a pod; `uid` is its identity.
    pub fn columns() -> SchemaRef {
        let text = |name: &str| Field::new(name, DataType::Utf8View, true);
        let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
        Arc::new(Schema::new(vec![
            text("cluster"),
            text("uid"),
            text("namespace"),
            text("name"),
            time("creation_timestamp"),
            text("labels"),
            text("node_name"),
            text("host_ip"),
            text("pod_ip"),
            text("phase"),
            text("service_account_name"),
            text("qos_class"),
            text("container_statuses"),
            Field::new("restarts", DataType::Int64, true),
        ]))
    }

    /// The readings, the first one with all pods.
    pub fn readings(self) -> impl Iterator<Item = PodReading> {
        let mut random = Random(1);
        let mut next = 0_u64;
        let mut pods: VecDeque<Pod> = VecDeque::with_capacity(self.pods);
        let step = 24 * HOUR / self.readings.max(1) as i64;
        let hours = step as f64 / HOUR as f64;
        let mut owed = (0.0, 0.0);
        (0..=self.days * self.readings).map(move |number| {
            let at = self.start + number as i64 * step;
            let not_before = (number > 0).then(|| at - step);
            let (mut opened, mut ended) = (Vec::new(), Vec::new());
            owed.0 += self.pods as f64 * self.churn * hours;
            owed.1 += self.pods as f64 * self.modified * hours / 24.0;
            if number > 0 {
                for _ in 0..whole(&mut owed.0) {
                    let Some(pod) = random.below(pods.len()).and_then(|at| pods.swap_remove_back(at)) else { break };
                    ended.push((pod.row_id, pod.valid_from));
                }
                for _ in 0..whole(&mut owed.1) {
                    let Some(own) = random.below(pods.len()) else { break };
                    let pod = &mut pods[own];
                    // A pod that was opened or modified by this reading is left as it is.
                    if pod.valid_from < at {
                        ended.push((pod.row_id, pod.valid_from));
                        (pod.restarts, pod.valid_from) = (pod.restarts + 1, at);
                        opened.push(pod.clone());
                    }
                }
            }
            while pods.len() < self.pods {
                let pod = Pod::new(next, at, self.nodes, &mut random);
                next += 1;
                opened.push(pod.clone());
                pods.push_back(pod);
            }
            PodReading { at, opened: batch(&opened, at, not_before), ended }
        })
    }
}

/// Takes the whole part of what is owed.
fn whole(owed: &mut f64) -> usize {
    let part = owed.floor();
    *owed -= part;
    part as usize
}

#[derive(Debug, Clone)]
struct Pod {
    row_id: i64,
    valid_from: i64,
    uid: String,
    app: u64,
    suffix: u64,
    created: i64,
    node: u64,
    address: u64,
    restarts: i64,
}

impl Pod {
    fn new(number: u64, at: i64, nodes: usize, random: &mut Random) -> Self {
        let (high, low) = (random.next(), random.next());
        let uid = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        );
        Pod {
            row_id: random.next() as i64,
            valid_from: at,
            uid,
            app: random.next() % 500,
            suffix: random.next(),
            created: at - (random.next() % 3_600_000_000) as i64,
            node: random.next() % nodes.max(1) as u64,
            address: number % (250 * 250 * 4),
            restarts: 0,
        }
    }
}

fn batch(pods: &[Pod], at: i64, not_before: Option<i64>) -> RecordBatch {
    let texts =
        |of: &dyn Fn(&Pod) -> String| -> ArrayRef { Arc::new(StringViewArray::from_iter_values(pods.iter().map(of))) };
    let times = |of: &dyn Fn(&Pod) -> Option<i64>| -> ArrayRef {
        Arc::new(pods.iter().map(of).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let numbers = |of: &dyn Fn(&Pod) -> i64| -> ArrayRef {
        Arc::new(pods.iter().map(|pod| Some(of(pod))).collect::<Int64Array>())
    };
    let namespace = |pod: &Pod| format!("team-{:02}", pod.app % 60);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let version = [
        Field::new("row_id", DataType::Int64, false),
        Field::new("valid_from", time.clone(), false),
        Field::new("not_before", time, true),
        Field::new("origin", DataType::Utf8View, true),
    ];
    let own = PodHistory::columns();
    let fields: Vec<Field> =
        version.into_iter().chain(own.fields().iter().map(|field| field.as_ref().clone())).collect();
    let arrays = vec![
        numbers(&|pod| pod.row_id),
        times(&|_| Some(at)),
        times(&|_| not_before),
        texts(&|_| "prod".to_owned()),
        texts(&|_| "prod".to_owned()),
        texts(&|pod| pod.uid.clone()),
        texts(&namespace),
        texts(&|pod| format!("app-{:03}-{:010x}-{:05x}", pod.app, pod.app * 7_919_191, pod.suffix & 0xf_ffff)),
        times(&|pod| Some(pod.created)),
        texts(&|pod| {
            format!(r#"{{"app":"app-{:03}","team":"{}","version":"v{}"}}"#, pod.app, namespace(pod), pod.app % 9)
        }),
        texts(&|pod| format!("node-{:04}", pod.node)),
        texts(&|pod| format!("10.0.{}.{}", pod.node / 250, pod.node % 250)),
        texts(&|pod| format!("10.{}.{}.{}", 1 + pod.address / 62_500, pod.address / 250 % 250, pod.address % 250)),
        texts(&|_| "Running".to_owned()),
        texts(&|pod| format!("app-{:03}", pod.app)),
        texts(&|pod| if pod.app.is_multiple_of(3) { "Guaranteed" } else { "Burstable" }.to_owned()),
        texts(&|pod| {
            let (id, app, restarts) = (pod.suffix.wrapping_mul(31), pod.app, pod.restarts);
            let (image, id) = (format!("app-{app:03}:v{}", app % 9), format!("{id:016x}{:016x}", id.wrapping_mul(17)));
            let start = format!(r#"[{{"name":"main","image":"registry.example.com/{image}","ready":true,"#);
            format!(r#"{start}"restartCount":{restarts},"containerID":"containerd://{id}"}}]"#)
        }),
        numbers(&|pod| pod.restarts),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of one length and of these types")
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below another; `None` for zero.
    fn below(&mut self, end: usize) -> Option<usize> {
        (end > 0).then(|| (self.next() % end as u64) as usize)
    }
}
