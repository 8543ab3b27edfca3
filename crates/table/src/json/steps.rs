/// Steps of a path: split at dots, where a backslash escapes a dot.
pub fn steps(path: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        let last = steps.last_mut().expect("never empty");
        match character {
            '\\' => last.extend(characters.next()),
            '.' => steps.push(String::new()),
            other => last.push(other),
        }
    }
    steps
}
