//! osquery and SQLite SQL on DataFusion
