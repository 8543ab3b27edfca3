//! Query packs: load, schedule, difference, log
