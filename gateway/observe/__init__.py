"""Receivers that turn signals into log lines and counters. Domain code never logs what it decides; it says so, and this
room listens."""
