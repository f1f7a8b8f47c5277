"""The vocabulary: tables of medical terms, written for this corpus."""
