"""Thorax: a reproducible pipeline that classifies chest X-rays."""
