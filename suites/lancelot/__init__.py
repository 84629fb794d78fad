"""The Lancelot protocol: its rules, judged on servers of every architecture."""
