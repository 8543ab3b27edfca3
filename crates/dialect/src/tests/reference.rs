//! Every example in a function's documentation has the stated result.

use super::harness::Both;
use crate::functions;

#[tokio::test(flavor = "current_thread")]
async fn examples_give_their_answers() {
    let both = Both::new(&[]);
    let mut wrong = Vec::new();
    for function in functions() {
        assert!(!function.examples.is_empty(), "{} has no example", function.name);
        assert!(function.summary.ends_with('.'), "{}: {:?} is not a sentence", function.name, function.summary);
        for (sql, answer) in &function.examples {
            let given = both.ask(sql).await;
            let same = matches!(given.as_deref(), Ok([row]) if row.as_slice() == [Some(answer.clone())]);
            if !same {
                wrong.push(format!(
                    "{}: {sql}\n  expected {answer:?}\n  given {given:?}\n  as {:?}",
                    function.name,
                    both.plan_text(sql)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
