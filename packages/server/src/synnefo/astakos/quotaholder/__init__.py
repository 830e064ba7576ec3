"""The quota ledger: holdings, commissions and provisions. Knows strings only, neither users nor projects."""
