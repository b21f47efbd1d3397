-- Whether an account may take cards of the operator's contracts that nobody has here.
ALTER TABLE account ADD COLUMN claims INTEGER NOT NULL DEFAULT 0;
