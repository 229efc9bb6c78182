"""Stock OpenAI clients in the soak."""
