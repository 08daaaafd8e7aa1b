"""The conversation: agent loop, chat models, guard, approvals, and the API."""
