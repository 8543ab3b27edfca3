//! Captured rows as Parquet, read back as tables
