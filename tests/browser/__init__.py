"""Tests of the pages in real Chromium: journeys by keyboard, what a screen reader hears, WCAG rules, wiping."""
