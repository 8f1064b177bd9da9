//! Sends what was recorded, when it is due, and records what came of it. Knows nothing of what alerts say.
